/**
 * Translates places in built files to places in their sources with source maps (`sourceMappingURL`, inline or in a separate file).
 *
 * **Details**
 *
 * A source map and the built file come from the program, so both are read only where sources may be read, and a schema checks the map.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SourceMap } from "node:module"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import type { Place } from "../agent/Protocol.ts"
import { isProgramFrame } from "./frames.ts"

const comment = /\/\/[#@]\s*sourceMappingURL=(\S+)\s*$/gm

/** The most characters of all maps together. A parsed map takes thirty times the memory of its text. */
const mostOfMaps = 32 * 1024 * 1024

const Map3 = Schema.Struct({
  version: Schema.Literal(3),
  sources: Schema.Array(Schema.NullOr(Schema.String)),
  sourceRoot: Schema.optionalKey(Schema.NullOr(Schema.String)),
  names: Schema.optionalKey(Schema.Array(Schema.String)),
  mappings: Schema.String
})

const IndexMap = Schema.Struct({
  version: Schema.Literal(3),
  sections: Schema.Array(Schema.Struct({
    offset: Schema.Struct({ line: Schema.Int, column: Schema.Int }),
    map: Map3
  }))
})

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Union([Map3, IndexMap])))

const Entry = Schema.Struct({
  originalSource: Schema.NonEmptyString,
  originalLine: Schema.Int,
  originalColumn: Schema.Int,
  name: Schema.optional(Schema.String)
})

const decodeEntry = Schema.decodeUnknownOption(Entry)

/**
 * **Details**
 *
 * - `original`: the source place of a place in a built file, or the place itself if no map has it;
 * - `sourcesOf`: the paths of all sources of a built file.
 */
export interface SourceMaps {
  readonly original: (place: Place) => Place
  readonly sourcesOf: (file: string) => ReadonlyArray<string>
}

/** A map, and the folder that its sources are relative to. */
interface Parsed {
  readonly map: SourceMap
  readonly root: string
}

/** Makes the source maps of a program. `read` gives the text of a file, if it exists and may be read. */
export const make = (read: (file: string) => string | undefined): SourceMaps => {
  const maps = new Map<string, Parsed | undefined>()
  let room = mostOfMaps

  const mapOf = (file: string): Parsed | undefined => {
    if (!maps.has(file)) {
      const json = jsonOf(file, read)
      const fits = json !== undefined && json.length <= room
      if (fits) room -= json.length
      maps.set(file, fits ? parse(json, dirname(file)) : undefined)
    }
    return maps.get(file)
  }

  const pathIn = (source: string, root: string): string | undefined => pathOf(source, root, read)

  const original = (place: Place): Place => {
    const { column, file, line, name } = place
    if (file === undefined || line === undefined || !/\.[cm]?js$/.test(file) || !isProgramFrame(place)) return place
    const known = mapOf(file)
    const entry = Option.getOrUndefined(decodeEntry(known?.map.findEntry(line - 1, (column ?? 1) - 1)))
    const source = entry === undefined ? undefined : pathIn(entry.originalSource, known!.root)
    if (entry === undefined || source === undefined) return place
    return {
      // A name of one or two letters is minified, so the original name from the map is better.
      name: name.length <= 2 && entry.name !== undefined ? entry.name : name,
      file: source,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1
    }
  }

  return {
    original,
    sourcesOf: (file) => {
      const known = /\.[cm]?js$/.test(file) ? mapOf(file) : undefined
      const sources = (known?.map.payload as { readonly sources?: ReadonlyArray<string | null> } | undefined)?.sources
      return (sources ?? []).flatMap((source) => source === null ? [] : pathIn(source, known!.root) ?? [])
    }
  }
}

/** The text of a file's source map, from the file itself or from a separate file. */
const jsonOf = (file: string, read: (file: string) => string | undefined): string | undefined => {
  const url = [...read(file)?.matchAll(comment) ?? []].at(-1)?.[1]
  if (url === undefined) return undefined
  try {
    const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/s.exec(url)
    return inline === null
      ? read(resolve(dirname(file), decodeURIComponent(url)))
      : inline[1] === undefined
      ? decodeURIComponent(inline[2]!)
      : Buffer.from(inline[2]!, "base64").toString("utf8")
  } catch {
    return undefined // not a valid URL
  }
}

/** Parses a source map; `undefined` if it is broken. Then places stay in the built file. */
const parse = (json: string, folder: string): Parsed | undefined => {
  const map = Option.getOrUndefined(decode(json))
  if (map === undefined) return undefined
  try {
    // Node's class ignores `sourceRoot`.
    const root = "sourceRoot" in map && typeof map.sourceRoot === "string" ? map.sourceRoot : ""
    const parsed = new SourceMap(map as unknown as ConstructorParameters<typeof SourceMap>[0])
    return { map: parsed, root: /^\w+:\/\//.test(root) ? root : resolve(folder, root) }
  } catch {
    return undefined
  }
}

/** A virtual address such as `webpack://a-name/./src/app.ts`. Its path is relative to the project folder, which it does not contain. */
const virtual = /^\w[\w+.-]*:\/\/[^/]*\/(?:\.\/)?(.+)$/

const pathOf = (
  source: string,
  root: string,
  read: (file: string) => string | undefined
): string | undefined => {
  try {
    const address = isAbsolute(source) || /^\w+:\/\//.test(source) || isAbsolute(root) ? source : `${root}/${source}`
    if (address.startsWith("file://")) return fileURLToPath(address)
    const below = virtual.exec(address)?.[1]
    if (below === undefined) return isAbsolute(address) ? address : resolve(root, address)
    return foldersAbove(root).map((folder) => join(folder, below)).find((file) => read(file) !== undefined) ?? below
  } catch {
    return undefined // a file URL of another machine
  }
}

const foldersAbove = (folder: string): ReadonlyArray<string> =>
  !isAbsolute(folder) ? [] : dirname(folder) === folder ? [folder] : [folder, ...foldersAbove(dirname(folder))]
