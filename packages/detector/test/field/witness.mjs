/**
 * Loaded into a program in place of Fiberscope, to know what is true of it: the heap after a full collection every few seconds, its
 * timers, sockets and file descriptors, and the classes of objects of two heap snapshots. It shares no code with Fiberscope.
 */
import { appendFileSync, readdirSync } from "node:fs"
import process from "node:process"
import { getHeapSnapshot, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { isMainThread, threadId } from "node:worker_threads"

const file = process.env.FIELD_WITNESS
const seconds = Number(process.env.FIELD_SECONDS)

if (file !== undefined && !process.argv[1]?.includes("/npm")) {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc")
  const began = process.hrtime.bigint()
  const at = () => Number((process.hrtime.bigint() - began) / 1_000_000n) / 1000
  const write = (what) =>
    appendFileSync(
      file,
      `${JSON.stringify({ pid: process.pid, thread: threadId, program: process.argv[1], at: at(), ...what })}\n`
    )

  const descriptors = () => {
    try {
      return readdirSync("/proc/self/fd").length
    } catch {
      return undefined
    }
  }
  const resources = () => {
    const counts = {}
    for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
    return counts
  }
  const look = () => {
    gc()
    const { external, heapUsed, rss } = process.memoryUsage()
    write({ heapUsed, external, rss, descriptors: isMainThread ? descriptors() : undefined, resources: resources() })
  }

  /** Objects by the name of their class, and their own bytes. */
  const classes = async () => {
    const chunks = []
    for await (const chunk of getHeapSnapshot()) chunks.push(chunk)
    const { nodes, snapshot, strings } = JSON.parse(Buffer.concat(chunks).toString())
    const fields = snapshot.meta.node_fields
    const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field))
    const object = snapshot.meta.node_types[type].indexOf("object")
    const counts = new Map()
    for (let i = 0; i < nodes.length; i += fields.length) {
      if (nodes[i + type] !== object) continue
      const known = counts.get(strings[nodes[i + name]]) ?? [0, 0]
      counts.set(strings[nodes[i + name]], [known[0] + 1, known[1] + nodes[i + size]])
    }
    return Object.fromEntries([...counts].filter(([, [count]]) => count >= 5))
  }
  const snapshot = async () => write({ classes: await classes() })

  const looks = setInterval(look, 5000)
  looks.unref()
  for (const part of [0.35, 0.8]) setTimeout(() => void snapshot(), seconds * part * 1000).unref()
}
