/** A Node readable stream as an async iterator whose `return` waits until the stream has closed. */
import type { Readable } from "node:stream"
import { finished } from "node:stream"

/**
 * The stream's own iterator listens only from the first `next` on, so that an earlier error ends the process, and it never checks
 * whether the file behind the stream is closed.
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
        // A premature close was requested here and is not an error.
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

/** Destroys a stream, waits until it has closed, and rejects with an error of the closing. */
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
    // The stream may have closed before, and with `emitClose: false` it emits no event. The polling interval grows: it may not
    // close at all.
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
