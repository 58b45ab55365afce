/**
 * Places in the source of a program, determined by V8: the line of the `yield*` at which a generator is suspended, and the line
 * at which a function was written. Test runners transform what they load; the hook that maps their stack traces back also maps
 * these places.
 *
 * A query takes about 0.1 milliseconds. Without an inspector there are no results.
 */
import type { Session } from "node:inspector"
import { isProgramFile } from "../census/programFile.ts"

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

/**
 * The place of a suspended generator, or of the definition of a function; `undefined` for code that is not the program's own, and
 * for a running generator.
 */
export const placeOf = (value: object): Place | undefined => {
  if (typeof value !== "function") return ask(value)
  const known = ofFunctions.get(value)
  if (known !== undefined) return known ?? undefined
  const place = ask(value)
  ofFunctions.set(value, place ?? null)
  return place
}

/** The state of a generator, `suspended` also at an `await`; `undefined` if it is not known. */
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

/** The parts of a value that only V8 can see. */
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
    // Enabling the debugger announces every script; leaving it enabled would slow the program down.
    post("Debugger.enable")
    post("Debugger.disable")
  }
  const url = urls.get(scriptId)
  return url === undefined || !isProgram(url) ? undefined : original(url, lineNumber + 1, columnNumber + 1)
}

/** Whether a script is the program's own: not Node's, not a library's, not Fiberscope's. */
export const isProgram = (url: string): boolean => isProgramFile(url) && !pathOf(url).startsWith(ours)

const pathOf = (url: string): string => {
  const path = url.replace(/[?#].*$/, "")
  return path.startsWith("file://") ? decodeURIComponent(path.slice("file://".length)) : path
}

const ours = decodeURIComponent(new URL("../..", import.meta.url).pathname)

/** A call site as V8 passes it to `Error.prepareStackTrace`, the function with which test runners and loaders map places back. */
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

/** The source place for a place in a script, both counted from 1. */
export const original = (url: string, line: number, column: number): Place => {
  const plain = { file: pathOf(url), line, column }
  const { prepareStackTrace } = Error
  if (prepareStackTrace === undefined) return plain
  // Some loaders know their scripts by URL, others by path.
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
      // The hook does not accept a call site that was not made by V8.
    }
  }
  return plain
}
