/** asyncio in a Python process, which runs one repetition for each request. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { Prepare } from "../harness.ts"

const tasks = `
import asyncio, sys, time

async def task():
    await asyncio.sleep(0)

async def repetition(count):
    start = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(task())
    return (time.process_time() - start) * 1e9 / count

async def main():
    for line in sys.stdin:
        print(await repetition(int(line)), flush=True)

asyncio.run(main())
`

const memory = `
import asyncio, resource, sys, tracemalloc

async def task(stop):
    await stop.wait()

def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()

async def main(count, traced):
    stop = asyncio.Event()
    living = [asyncio.create_task(task(stop)) for _ in range(1000)]
    await asyncio.sleep(0)
    if traced: tracemalloc.start()
    before = rss()
    living += [asyncio.create_task(task(stop)) for _ in range(count)]
    await asyncio.sleep(0)
    print((rss() - before) / count, flush=True)
    stop.set()

asyncio.run(main(int(sys.argv[1]), sys.argv[2] == "traced"))
`

/** The reason why asyncio cannot be compared, if there is one. TaskGroup needs Python 3.11. */
export const whyNoPython = (): string | undefined => {
  try {
    execFileSync("python3", ["-c", "import asyncio; asyncio.TaskGroup"], { stdio: "ignore" })
    return undefined
  } catch {
    return "there is no python3 of at least 3.11"
  }
}

export const asyncioTasks: Prepare = () => {
  const child = spawn("python3", ["-c", tasks], { stdio: ["pipe", "pipe", "inherit"] })
  const lines = createInterface(child.stdout)
  // The process ends with its standard input.
  return async () => {
    const answer = once(lines, "line")
    child.stdin.write("10000\n")
    return Number((await answer)[0])
  }
}

/** Bytes of resident memory per waiting task, with `count` tasks. */
export const asyncioMemory = (count: number, traced: boolean): number =>
  Number(execFileSync("python3", ["-c", memory, String(count), traced ? "traced" : "plain"], { encoding: "utf8" }))
