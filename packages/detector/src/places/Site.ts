/** Places in the source, as findings name them. */
import * as Schema from "effect/Schema"
import type { Place } from "../agent/Protocol.ts"
import { longest, oneLine } from "../text/Untrusted.ts"

/**
 * A place in the source of the program: `line` and `column` are 1-based, absent where only a name is known.
 *
 * @category models
 */
export const Site = Schema.Struct({
  name: Schema.String,
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int)
})

/**
 * A place in the source of the program.
 *
 * @category models
 */
export type Site = typeof Site.Type

/**
 * The site of a place: a path instead of a URL, and a name for what has none.
 *
 * @category constructors
 */
export const siteOf = ({ column, file, line, name }: Place): Site => ({
  name: name === "" ? "(anonymous)" : name,
  ...(file === undefined || file === "" ? {} : { file: pathOf(file) }),
  ...(line === undefined ? {} : { line }),
  ...(column === undefined ? {} : { column })
})

/**
 * The path of a file that may be given as a URL.
 *
 * @category constructors
 */
export const pathOf = (file: string): string => {
  if (!file.startsWith("file://")) return file
  try {
    return decodeURIComponent(new URL(file).pathname)
  } catch {
    return file
  }
}

/**
 * `name (file:line)`, as a part of a sentence: the name is cut where it is long, and the last two parts of the file are enough.
 *
 * @category rendering
 */
export const describeSite = ({ column, file, line, name }: Site): string => {
  const shown = oneLine(name, longest.name)
  if (file === undefined) return shown
  const short = oneLine(file.split(/[\\/]/).slice(-2).join("/"), longest.name)
  const at = `${short}:${line ?? "?"}${column === undefined ? "" : `:${column}`}`
  return name === "(anonymous)" ? at : `${shown} (${at})`
}

/**
 * The function of Effect through which the program came to allocate: of the frames of a stack, innermost first, the outermost named
 * one in a public module of Effect. Under the run loop there are no frames of the program, and this is the name its users know.
 *
 * @category constructors
 */
export const effectApi = (stack: ReadonlyArray<Place>): Place | undefined => {
  const own = stack.filter(({ file, name }) =>
    name !== "" && file !== undefined &&
    /[\\/]effect[\\/]dist[\\/](?!internal[\\/]|(?:Scheduler|Fiber|Runtime|ManagedRuntime|Function)\.js)/.test(file)
  )
  const outermost = own.at(-1)
  return outermost === undefined ? undefined : { ...outermost, name: outermost.name.replace(/Unsafe$/, "") }
}

/**
 * The function of a library, as its users call it: `Metric.update`, `Scope.addFinalizer`.
 *
 * @category rendering
 */
export const libraryName = ({ file, name }: Site): string => {
  const match = file === undefined
    ? null
    : /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/](?:.*[\\/])?([^\\/]+?)\.[cm]?[jt]s$/.exec(file)
  const shown = oneLine(name, longest.name)
  if (match === null) return shown
  const [, library, module] = match
  return library === "effect" ? `${module!}.${shown} of effect` : `${shown} of ${library!}`
}
