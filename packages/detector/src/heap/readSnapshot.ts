/** Reads a heap snapshot from a file, from a file compressed by gzip, or from a stream. */
import * as Effect from "effect/Effect"
import { constants } from "node:fs"
import { open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { addAbortSignal, pipeline } from "node:stream"
import type { Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import type { HeapGraph } from "./HeapGraph.ts"
import { SnapshotError } from "./SnapshotError.ts"
import { makeSnapshotReader } from "./SnapshotReader.ts"

const chunkBytes = 1 << 20

/** Reads a file, which may be compressed. A pipe or a device is refused: use {@link readStream} for these. */
export const readSnapshot = (file: string): Effect.Effect<HeapGraph, SnapshotError> =>
  Effect.acquireUseRelease(
    // Opening a pipe would wait until somebody writes to it.
    Effect.tryPromise({ try: () => open(file, constants.O_RDONLY | constants.O_NONBLOCK), catch: failureOf(file) }),
    (handle) =>
      Effect.tryPromise({
        try: async (signal) => {
          const stat = await handle.stat()
          if (!stat.isFile()) throw new SnapshotError({ message: "it is not a regular file" })
          const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
          return isGzip(buffer)
            ? collect(unzipped(handle.createReadStream({ start: 0, autoClose: false })), 0, signal)
            : collect(chunksOf(handle), stat.size, signal)
        },
        catch: failureOf(file)
      }),
    (handle) => Effect.promise(() => handle.close())
  )

/** Reads a stream, such as standard input, which may be compressed. */
export const readStream = (input: Readable, name: string): Effect.Effect<HeapGraph, SnapshotError> =>
  Effect.tryPromise({
    try: async (signal) => {
      addAbortSignal(signal, input)
      return collect(isGzip(await startOf(input)) ? unzipped(input) : input, 0, signal)
    },
    catch: failureOf(name)
  })

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/** Ends both streams when one of them fails. */
const unzipped = (input: Readable): Readable =>
  // The error of either reaches the reader of the second one.
  pipeline(input, createGunzip({ chunkSize: chunkBytes }), () => {})

/** The first bytes of a stream, which are put back. A pipe may bring a single one at first. */
const startOf = async (input: Readable): Promise<Uint8Array> => {
  let bytes = Buffer.alloc(0)
  while (bytes.length < 2 && !input.readableEnded && !input.destroyed) {
    const chunk = input.read() as Buffer | null
    if (chunk === null) await change(input)
    else bytes = Buffer.concat([bytes, chunk])
  }
  if (input.readable) input.unshift(bytes)
  return bytes
}

const change = (input: Readable): Promise<void> =>
  new Promise((resolve) => {
    const events = ["readable", "end", "close", "error"] as const
    const changed = (): void => {
      for (const event of events) input.off(event, changed)
      resolve()
    }
    for (const event of events) input.on(event, changed)
  })

const chunksOf = async function*(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  for (let at = 0;;) {
    const { bytesRead } = await handle.read(buffer, 0, chunkBytes, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** `bytes` is the size of the text, or 0 where that is not known. */
const collect = async (chunks: AsyncIterable<Uint8Array>, bytes: number, signal: AbortSignal): Promise<HeapGraph> => {
  const reader = makeSnapshotReader(bytes)
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    reader.take(chunk)
  }
  return reader.end()
}

const failureOf = (file: string) => (error: unknown): SnapshotError =>
  new SnapshotError({
    message: `cannot read the heap snapshot ${file}: ${error instanceof Error ? error.message : String(error)}`
  })
