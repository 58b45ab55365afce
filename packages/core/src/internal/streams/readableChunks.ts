/** One of Node's readable streams as an async iterator whose `return` waits until the stream has closed. */
import type { Readable } from "node:stream"
import { finished } from "node:stream"

/**
 * The stream's own iterator listens to it from the first `next` on only, so that an error before that ends the process, and never asks
 * whether the file behind it is closed.
 */
export const readableChunks = <A>(readable: Readable): AsyncIterable<A> => {
  let wake = () => {}
  let end: { readonly error: unknown } | undefined
  let isClosing = false
  const onReadable = () => wake()
  const cleanup = finished(readable, { writable: false }, (error) => {
    end = { error: error ?? undefined }
    wake()
  })
  readable.on("readable", onReadable)

  const next = async (): Promise<IteratorResult<A, undefined>> => {
    for (;;) {
      const chunk = readable.read() as A | null
      if (chunk !== null) return { done: false, value: chunk }
      if (end !== undefined) {
        // That it ends before its end is what was asked for.
        if (end.error !== undefined && !isClosing) throw end.error
        return { done: true, value: undefined }
      }
      await new Promise<void>((resolve) => wake = resolve)
    }
  }

  return {
    [Symbol.asyncIterator]: () => ({
      next,
      return: async () => {
        isClosing = true
        readable.off("readable", onReadable)
        try {
          await closed(readable, end?.error)
        } finally {
          cleanup()
        }
        return { done: true, value: undefined }
      }
    })
  }
}

/** Destroys a stream, waits until it has closed, and rejects with what went wrong with that. */
const closed = (readable: Readable, known: unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    let failure: { readonly error: unknown } | undefined
    const onError = (error: unknown) => {
      if (error !== known) failure ??= { error }
    }
    const onClose = () => {
      isOver = true
      readable.off("close", onClose)
      readable.off("error", onError)
      if (failure === undefined) resolve()
      else reject(failure.error)
    }
    // It may have said so before, and with `emitClose: false` it does not. Looks ever less often: it may not close at all.
    let isOver = false
    const look = (ms: number) => {
      if (isOver) return
      if (readable.closed) return onClose()
      setTimeout(look, ms, ms * 2).unref()
    }
    readable.on("error", onError)
    readable.once("close", onClose)
    readable.destroy()
    setImmediate(look, 1)
  })
