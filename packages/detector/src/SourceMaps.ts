/**
 * From places in built files to places in their sources, where the files say how (`sourceMappingURL`, inline or beside them).
 *
 * **Details**
 *
 * A map and the file that names it come from the program, so both are read only where sources may be, and a schema checks the map.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SourceMap } from "node:module"
import { dirname, isAbsolute, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import type { Place } from "./agent/Protocol.ts"
import { isProgramFrame } from "./AllocationSites.ts"

const comment = /\/\/[#@]\s*sourceMappingURL=(\S+)\s*$/gm

/** Characters of all maps together: a parsed map takes thirty times as much memory as its text. */
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
 * Makes the function that maps places. `read` gives the text of a file, if there is one and it may be read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (read: (file: string) => string | undefined): (place: Place) => Place => {
  const maps = new Map<string, SourceMap | undefined>()
  let room = mostOfMaps

  const mapOf = (file: string): SourceMap | undefined => {
    if (!maps.has(file)) {
      const json = jsonOf(file, read)
      const fits = json !== undefined && json.length <= room
      if (fits) room -= json.length
      maps.set(file, fits ? parse(json) : undefined)
    }
    return maps.get(file)
  }

  return (place) => {
    const { column, file, line, name } = place
    if (file === undefined || line === undefined || !/\.[cm]?js$/.test(file) || !isProgramFrame(place)) return place
    const entry = Option.getOrUndefined(decodeEntry(mapOf(file)?.findEntry(line - 1, (column ?? 1) - 1)))
    const source = entry === undefined ? undefined : pathOf(entry.originalSource, dirname(file))
    if (entry === undefined || source === undefined) return place
    return {
      // Minified names say nothing; where the map has the original it is better.
      name: name.length <= 2 && entry.name !== undefined ? entry.name : name,
      file: source,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1
    }
  }
}

/** The text of the map of a file: that in the file itself, or that in the file beside it. */
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
    return undefined // an address that is none
  }
}

/** A map that is missing or broken leaves the place in the built file, which is right as well. */
const parse = (json: string): SourceMap | undefined => {
  const map = Option.getOrUndefined(decode(json))
  if (map === undefined) return undefined
  try {
    return new SourceMap(map as unknown as ConstructorParameters<typeof SourceMap>[0])
  } catch {
    return undefined
  }
}

const pathOf = (source: string, folder: string): string | undefined => {
  try {
    return source.startsWith("file://") ? fileURLToPath(source) : isAbsolute(source) ? source : resolve(folder, source)
  } catch {
    return undefined // an address of another machine
  }
}
