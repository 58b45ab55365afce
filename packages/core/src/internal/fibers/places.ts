/**
 * Places in the source of a program, asked of V8: where a generator is suspended, which is the line of its `yield*`, and where a
 * function was written. Test runners transform what they load; who maps the stack traces back is asked to map places too.
 *
 * A question takes about a tenth of a millisecond. Nobody is told anything where there is no inspector.
 */
import type { Session } from "node:inspector"

/** `line` and `column` count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber?: number
}

const slot = Symbol.for("@fiberscope/core/places")
const group = "fiberscope"
const urls = new Map<string, string>()
const ofFunctions = new WeakMap<object, Place | null>()
let session: Session | undefined

const post = (method: string, params?: object): unknown => {
  if (session === undefined) {
    const { Session } = process.getBuiltinModule("node:inspector")
    session = new Session()
    session.connect()
    session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urls.set(scriptId, url))
  }
  let result: unknown
  session.post(method, params, (_error: Error | null, answer?: unknown) => void (result = answer))
  return result
}

/** Where a suspended generator stands, or a function was written; `undefined` for what is not the program's own, and while it runs. */
export const placeOf = (value: object): Place | undefined => {
  if (typeof value !== "function") return ask(value)
  const known = ofFunctions.get(value)
  if (known !== undefined) return known ?? undefined
  const place = ask(value)
  ofFunctions.set(value, place ?? null)
  return place
}

/** What a generator is doing, `suspended` at an `await` too; `undefined` where nobody knows. */
export type GeneratorState = "suspended" | "running" | "closed"

export const generatorState = (generator: object): GeneratorState | undefined =>
  properties(generator).find(({ name }) => name === "[[GeneratorState]]")?.value?.value as GeneratorState | undefined

interface Property {
  readonly name: string
  readonly value?: { readonly value?: unknown }
}

const ask = (value: object): Place | undefined => {
  const found = properties(value)
  const location = found.find(({ name }) => name === "[[GeneratorLocation]]")
    ?? found.find(({ name }) => name === "[[FunctionLocation]]")
  return location?.value?.value === undefined ? undefined : mapped(location.value.value as Location)
}

/** What only V8 knows of a value. */
const properties = (value: object): ReadonlyArray<Property> => {
  const scope = globalThis as { [slot]?: object }
  scope[slot] = value
  try {
    const { result } = post("Runtime.evaluate", { expression, objectGroup: group }) as {
      readonly result: { readonly objectId?: string }
    }
    const { internalProperties = [] } = post("Runtime.getProperties", {
      objectId: result.objectId,
      ownProperties: true
    }) as { readonly internalProperties?: ReadonlyArray<Property> }
    return internalProperties
  } catch {
    return []
  } finally {
    Reflect.deleteProperty(scope, slot)
    if (session !== undefined) post("Runtime.releaseObjectGroup", { objectGroup: group })
  }
}

const expression = `globalThis[Symbol.for(${JSON.stringify(slot.description)})]`

const mapped = ({ columnNumber = 0, lineNumber, scriptId }: Location): Place | undefined => {
  if (!urls.has(scriptId)) {
    // Announces every script; to leave the debugger on would slow the program down.
    post("Debugger.enable")
    post("Debugger.disable")
  }
  const url = urls.get(scriptId)
  return url === undefined || !isProgram(url) ? undefined : original(url, lineNumber + 1, columnNumber + 1)
}

/** Whether a script is the program's own: not Node's, not a library's, not ours. */
export const isProgram = (url: string): boolean =>
  url !== "" && !url.startsWith("node:") && !url.startsWith("evalmachine") && !/[\\/]node_modules[\\/]/.test(url)
  && !pathOf(url).startsWith(ours)

const pathOf = (url: string): string => {
  const path = url.replace(/[?#].*$/, "")
  return path.startsWith("file://") ? decodeURIComponent(path.slice("file://".length)) : path
}

const ours = decodeURIComponent(new URL("../..", import.meta.url).pathname)

/** A call site as V8 would give it to `Error.prepareStackTrace`, which is where test runners and loaders map places back. */
class CallSite {
  readonly #url: string
  readonly #line: number
  readonly #column: number
  constructor(url: string, line: number, column: number) {
    this.#url = url
    this.#line = line
    this.#column = column
  }
  getFileName(): string {
    return this.#url
  }
  getScriptNameOrSourceURL(): string {
    return this.#url
  }
  getLineNumber(): number {
    return this.#line
  }
  getColumnNumber(): number {
    return this.#column
  }
  getFunctionName(): null {
    return null
  }
  getTypeName(): null {
    return null
  }
  getMethodName(): null {
    return null
  }
  getEvalOrigin(): undefined {
    return undefined
  }
  getThis(): undefined {
    return undefined
  }
  getFunction(): undefined {
    return undefined
  }
  getPromiseIndex(): null {
    return null
  }
  isNative(): boolean {
    return false
  }
  isToplevel(): boolean {
    return true
  }
  isConstructor(): boolean {
    return false
  }
  isEval(): boolean {
    return false
  }
  isAsync(): boolean {
    return false
  }
  isPromiseAll(): boolean {
    return false
  }
  toString(): string {
    return `${this.#url}:${this.#line}:${this.#column}`
  }
}

/** The place in the source for one in a script, both counted from 1. */
export const original = (url: string, line: number, column: number): Place => {
  const plain = { file: pathOf(url), line, column }
  const { prepareStackTrace } = Error
  if (prepareStackTrace === undefined) return plain
  // Some know their scripts by URL, others by path.
  for (const name of new Set([url, pathOf(url)])) {
    try {
      const text = String(
        prepareStackTrace(new Error("place"), [new CallSite(name, line, column) as unknown as NodeJS.CallSite])
      )
      const [, file, mappedLine, mappedColumn] =
        /((?:file:\/\/|\/|[A-Za-z]:[\\/])[^\n()]*?):(\d+):(\d+)\)?\s*$/.exec(text) ?? []
      const place = { file: pathOf(file ?? ""), line: Number(mappedLine), column: Number(mappedColumn) }
      if (file !== undefined && (place.line !== line || place.column !== column)) return place
    } catch {
      // It does not take a call site that is not V8's.
    }
  }
  return plain
}
