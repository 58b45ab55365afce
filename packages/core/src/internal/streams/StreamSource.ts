/** An async iterator, pulled by a stream and brought to its end: nothing here waits for it, and nothing that it says is lost. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/** Where an iterator is that does not end: in an `await` before its next item, or in its `finally`. */
export type Phase = "await" | "finally"

export interface SourceOptions<A, E, Closed> {
  readonly iterate: (signal: AbortSignal) => AsyncIterable<A>
  /** Whatever the iterator throws before it is closed is an error of the stream. */
  readonly onError: (cause: unknown) => E
  /** What is told to whoever pulls from a stream that was closed. */
  readonly closed: Effect.Effect<never, Closed>
  /** Its `return` is called also when it has said that it is done, or has thrown: there is something to give back all the same. */
  readonly returnsAlways: boolean
  /** The iterator has ended. Called once. */
  readonly onEnd: () => void
}

/** What an iterator said and nobody has taken yet. */
type Said<A> =
  | { readonly _tag: "Item"; readonly item: A }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly error: unknown }

const done: Said<never> = { _tag: "Done" }

/** A generator may yield in its `finally`. One that goes on and on is given up: its promises would let nothing else run. */
const maxYields = 1000

/** One for all: its stack would say nothing of the stream, and costs more than the rest of it. */
const abortReason = new DOMException("The stream is closed", "AbortError")

type Pull<A, E> = Effect.Effect<readonly [A], E | Cause.Done>

export class StreamSource<A, E, Closed> {
  readonly pull: Pull<A, E | Closed>
  /** How many items were taken. */
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
    // Without a clean-up, which would cost more than the rest: the waiter of a fiber that was interrupted resumes nothing, so that
    // what was said stays for the next who pulls.
    this.pull = Effect.callback((resume) => {
      if (this.#isClosing || this.#said !== undefined || this.#iterator === undefined) return resume(this.#take)
      this.#waiter = resume
      if (!this.#isPending) this.#next(this.#iterator)
    })
  }

  /** Whether somebody, or `return`, waits for the next item. */
  get isPulling(): boolean {
    return this.#isPending
  }

  get phase(): Phase {
    return this.#isPending ? "await" : "finally"
  }

  /** What went wrong where no puller could be told. */
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

  /** Asks for the end: by the signal, for what waits; and by `return`, for what stands at a `yield`. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    // An error that nobody was there to take.
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
    // An item goes in the step that hands it over: whoever is interrupted before that leaves it to the next.
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

  /** What was under way when the close came is over. If there is a `return`, that tells the end. */
  #settled(): void {
    if (this.#iterator !== undefined && this.#iterator.return === undefined) this.#ended(done)
  }

  /** Calls `return`; and `next`, as long as the iterator yields on its way out: a second `return` would skip the rest of its `finally`. */
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
    // A scope that stays open after the end of a stream keeps its finalizer, and with it this.
    this.#iterator = undefined
    this.#controller = undefined
    if (!this.#isClosing) this.#said = said
    this.#options.onEnd()
    this.#resume()
  }
}
