/** Describes what keeps a process alive: sockets and servers with their addresses, the others by their kind. */

interface Handle {
  readonly constructor: { readonly name: string }
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  readonly listening?: boolean
  readonly spawnfile?: string
  readonly pid?: number
  readonly address?: () => string | { readonly address: string; readonly port: number } | null
  readonly fd?: number
}

const maxNamed = 10

export const openHandles = (): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const named = namedHandles()
  return [
    ...named.slice(0, maxNamed),
    ...(named.length > maxNamed ? [`${named.length - maxNamed} more of these`] : []),
    ...[...counts].filter(([kind]) => !notCounted.has(kind)).map((
      [kind, count]
    ) => (count === 1 ? kind : `${count} × ${kind}`))
  ]
}

/** Kinds whose handles are named one by one, or that every process has. */
const notCounted = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "PipeWrap",
  "ProcessWrap",
  "TTYWrap",
  "Timeout",
  "Immediate"
])

const namedHandles = (): ReadonlyArray<string> => {
  // Not documented, but the only API that knows the addresses of sockets.
  const list = (process as { _getActiveHandles?: () => ReadonlyArray<Handle> })._getActiveHandles
  if (typeof list !== "function") return []
  const out: Array<string> = []
  for (const handle of list.call(process)) {
    try {
      const name = nameOf(handle)
      if (name !== undefined) out.push(name)
    } catch {
      // A handle that is being closed may have no address.
    }
  }
  return out
}

const nameOf = (handle: Handle): string | undefined => {
  if (handle.listening === true) {
    const address = handle.address?.()
    return `server on ${
      typeof address === "object" && address !== null ? `${address.address}:${address.port}` : address
    }`
  }
  if (handle.remoteAddress !== undefined) {
    return `socket ${handle.localAddress}:${handle.localPort} → ${handle.remoteAddress}:${handle.remotePort}`
  }
  if (handle.spawnfile !== undefined) return `child process ${handle.pid} (${handle.spawnfile})`
  return undefined
}
