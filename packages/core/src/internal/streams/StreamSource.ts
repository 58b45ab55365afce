/** An async iterator that a stream pulls and closes. Nothing here waits for it, and no result of it is lost. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/** The phase of an iterator that does not end: in an `await` before its next item, or in its `finally`. */
export type Phase = "await" | "finally"

export interface SourceOptions<A, E, Closed> {
  readonly iterate: (signal: AbortSignal) => AsyncIterable<A>
  /** Converts what the iterator throws before it is closed to an error of the stream. */
  readonly onError: (cause: unknown) => E
  /** The failure for a fiber that pulls from a closed stream. */
  readonly closed: Effect.Effect<never, Closed>
  /** Calls `return` even after the iterator was done or has thrown: its resource must be released anyway. */
  readonly returnsAlways: boolean
  /** The iterator has ended. Called once. */
  readonly onEnd: () => void
}

/** A result of an iterator that no pull has taken yet. */
type Said<A> =
  | { readonly _tag: "Item"; readonly item: A }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly error: unknown }

const done: Said<never> = { _tag: "Done" }

/** The maximum number of yields in a `finally`. A generator that yields more is abandoned: its promises would block the event loop. */
const maxYields = 1000

/** One reason for all streams: its stack has no information about the stream, and costs more than the rest of the closing. */
const abortReason = new DOMException("The stream is closed", "AbortError")

type Pull<A, E> = Effect.Effect<readonly [A], E | Cause.Done>

export class StreamSource<A, E, Closed> {
  readonly pull: Pull<A, E | Closed>
  /** The number of items taken. */
  items = 0
  readonly #options: SourceOptions<A, E, Closed>
  readonly #take: Pull<A, E | Closed>
  #iterator: AsyncIterator<A> | undefined
  #controller: AbortController | undefined
  #waiter: ((pull: Pull<A, E | Closed>) => void) | undefined
  #said: Said<A> | undefined
  #isPending = false
  #isClosing = false
  #failure: Cause.Cause<unknown> | undefined

  constructor(options: SourceOptions<A, E, Closed>) {
    this.#options = options
    this.#take = Effect.suspend(() => this.#taken())
    // There is no clean-up on interruption, which would cost more than the rest: the waiter of an interrupted fiber resumes
    // nothing, so the result stays for the next pull.
    this.pull = Effect.callback((resume) => {
      if (this.#isClosing || this.#said !== undefined || this.#iterator === undefined) return resume(this.#take)
      this.#waiter = resume
      if (!this.#isPending) this.#next(this.#iterator)
    })
  }

  /** Whether a pull, or `return`, waits for the next item. */
  get isPulling(): boolean {
    return this.#isPending
  }

  get phase(): Phase {
    return this.#isPending ? "await" : "finally"
  }

  /** The first failure that no pull received. */
  get failure(): Cause.Cause<unknown> | undefined {
    return this.#failure
  }

  start(): void {
    const controller = this.#controller = new AbortController()
    try {
      this.#iterator = this.#options.iterate(controller.signal)[Symbol.asyncIterator]()
    } catch (error) {
      this.#ended({ _tag: "Failed", error })
    }
  }

  /** Requests the end: by the signal for a pending `await`, and by `return` for a generator suspended at a `yield`. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    // The stored error was not taken by any pull.
    if (this.#said?._tag === "Failed") this.#fail(this.#said.error)
    this.#said = undefined
    const iterator = this.#iterator
    if (iterator === undefined) return
    this.#controller!.abort(abortReason)
    this.#resume()
    if (iterator.return !== undefined) this.#finish(() => iterator.return!(), 0)
    else if (!this.#isPending) this.#settled()
  }

  #taken(): Pull<A, E | Closed> {
    if (this.#isClosing) return this.#options.closed
    const said = this.#said ?? done
    // An item is removed in the step that delivers it: a pull that is interrupted before that leaves it for the next one.
    if (said._tag !== "Item") this.#said = undefined
    if (said._tag === "Done") return Cause.done()
    if (said._tag === "Failed") return Effect.fail(this.#options.onError(said.error))
    return Effect.sync(() => {
      if (this.#said === said) this.#said = undefined
      this.items++
      return [said.item] as const
    })
  }

  #resume(): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.(this.#take)
  }

  #next(iterator: AsyncIterator<A>): void {
    this.#isPending = true
    try {
      iterator.next().then(this.#onItem, this.#onError)
    } catch (error) {
      this.#onError(error)
    }
  }

  readonly #onItem = (result: IteratorResult<A>): void => {
    this.#isPending = false
    if (this.#isClosing) this.#settled()
    else if (result.done === true) this.#exhausted(done)
    else {
      this.#said = { _tag: "Item", item: result.value }
      this.#resume()
    }
  }

  readonly #onError = (error: unknown): void => {
    this.#isPending = false
    if (!this.#isClosing) return this.#exhausted({ _tag: "Failed", error })
    this.#fail(error)
    this.#settled()
  }

  #exhausted(said: Said<A>): void {
    if (!this.#options.returnsAlways) return this.#ended(said)
    this.#said = said
    this.#resume()
  }

  /** Handles the end of a `next` that was pending at the close. If there is a `return`, its result marks the end. */
  #settled(): void {
    if (this.#iterator !== undefined && this.#iterator.return === undefined) this.#ended(done)
  }

  /** Calls `return`, and then `next` as long as the iterator yields while closing: a second `return` would skip the rest of its `finally`. */
  #finish(finishing: () => Promise<IteratorResult<A>>, times: number): void {
    const onResult = (result: IteratorResult<A> | undefined) => {
      if (result?.done !== false) this.#ended(done)
      else if (times < maxYields) this.#finish(() => this.#iterator!.next(), times + 1)
    }
    const onError = (error: unknown) => {
      this.#fail(error)
      this.#ended(done)
    }
    try {
      Promise.resolve(finishing()).then(onResult, onError)
    } catch (error) {
      onError(error)
    }
  }

  /** Keeps the first failure that the closing itself did not cause. */
  #fail(error: unknown): void {
    if (error === abortReason || (error instanceof Error && error.name === "AbortError")) return
    this.#failure ??= Cause.die(error)
  }

  #ended(said: Said<A>): void {
    // A scope that stays open after the end of a stream keeps its finalizer, and with it this object: release the rest.
    this.#iterator = undefined
    this.#controller = undefined
    if (!this.#isClosing) this.#said = said
    this.#options.onEnd()
    this.#resume()
  }
}
