/** Timers and handles, such as sockets and watchers, that a test has opened and not closed. */
import { createHook } from "node:async_hooks"
import type { RuntimeFiber } from "../../../internal/census/FiberRuntime.ts"
import type { Place } from "../places.ts"
import { callPlace, original } from "../places.ts"
import { renderPlace } from "../suspendedAt.ts"
import { leftAlive } from "./fibers.ts"
import type { Leak, Probe, Watch } from "./Watch.ts"
import { owner, runningFiber } from "./Watch.ts"

interface Entry {
  readonly kind: "timer" | "handle"
  readonly type: string
  readonly resource: object
  readonly call: Place | undefined
  /** The fiber that created it: a timer that a leaked fiber sleeps on is not another leak. */
  readonly fiber: RuntimeFiber | undefined
}

const entriesOf = (watch: Watch): Map<number, Entry> => watch.of(resources, () => new Map<number, Entry>())

/** The file handles returned by `fs.promises.open`, and where they were opened. */
export interface FileHandle {
  readonly fd: number
}

const filesOf = (watch: Watch): Map<FileHandle, Place | undefined> =>
  watch.of(opened, () => new Map<FileHandle, Place | undefined>())

const maxFiles = 1000

/** Node opens a file outside of any asynchronous context; the wrapper is created in the context of the test. */
export const opened = (file: FileHandle, watch: Watch): void => {
  const files = filesOf(watch)
  files.set(file, callPlace())
  if (files.size > maxFiles) { for (const each of files.keys()) if (isClosed(each)) files.delete(each) }
}

const isClosed = ({ fd }: FileHandle): boolean => fd < 0

const handles: Readonly<Record<string, string>> = {
  FSEVENTWRAP: "a file watcher",
  HTTP2SESSION: "an HTTP/2 session",
  MESSAGEPORT: "a message port",
  PIPESERVERWRAP: "a server on a pipe",
  PIPEWRAP: "a pipe",
  PROCESSWRAP: "a child process",
  SIGNALWRAP: "a signal handler",
  STATWATCHER: "a file watcher",
  TCPSERVERWRAP: "a server",
  TCPWRAP: "a socket",
  TTYWRAP: "a terminal",
  UDPWRAP: "a UDP socket",
  WORKER: "a worker"
}

export const resources: Probe = {
  install: () => {
    // Only things that are still open are held.
    const owners = new Map<number, Map<number, Entry>>()
    const hook = createHook(
      {
        init: (id, type, _trigger, resource) => {
          const kind = type === "Timeout" ? "timer" : Object.hasOwn(handles, type) ? "handle" : undefined
          if (kind === undefined) return
          const watch = owner()
          if (watch === undefined) return
          const entries = entriesOf(watch)
          entries.set(id, { kind, type, resource, call: callPlace(), fiber: runningFiber() })
          owners.set(id, entries)
        },
        destroy: (id) => {
          owners.get(id)?.delete(id)
          owners.delete(id)
        },
        trackPromises: false
      } as Parameters<typeof createHook>[0]
    )
    hook.enable()
    return () => {
      hook.disable()
      owners.clear()
    }
  },

  left: (watch) => {
    const alive = leftAlive(watch)
    const leaks: Array<Leak> = []
    for (const { call, fiber, kind, resource, type } of entriesOf(watch).values()) {
      if (isOver(resource) || (fiber !== undefined && alive.has(fiber))) continue
      const at = call === undefined ? undefined : original(call.file, call.line, call.column)
      const unref = (resource as { hasRef?: () => boolean }).hasRef?.() === false
      leaks.push({
        kind,
        what: `${kind === "timer" ? timer(resource) : `${handles[type]!}${address(resource)}`}${
          unref ? ", unref'd" : ""
        }`,
        at,
        site: at === undefined ? [] : [`opened at ${renderPlace(at)}`]
      })
    }
    for (const [file, call] of filesOf(watch)) {
      if (isClosed(file)) continue
      const at = call === undefined ? undefined : original(call.file, call.line, call.column)
      leaks.push({
        kind: "handle",
        what: "an open file",
        at,
        site: at === undefined ? [] : [`opened at ${renderPlace(at)}`]
      })
    }
    return leaks
  }
}

const isOver = (resource: object): boolean => (resource as { readonly _destroyed?: boolean })._destroyed === true

const timer = (resource: object): string => {
  const { _idleTimeout: ms, _repeat: repeat } = resource as {
    readonly _idleTimeout?: number
    readonly _repeat?: unknown
  }
  return `${repeat ? "setInterval" : "setTimeout"}${ms === undefined ? "" : ` of ${ms} ms`}`
}

const address = (resource: object): string => {
  const name: { address?: string; port?: number } = {}
  try {
    ;(resource as { getsockname?: (out: object) => unknown }).getsockname?.(name)
  } catch {
    // A handle that is being closed has no address.
  }
  return name.address === undefined ? "" : ` on ${name.address}:${name.port}`
}
