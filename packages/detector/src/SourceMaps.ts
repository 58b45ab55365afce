/**
 * From places in built files to places in their sources, where the files say how (`sourceMappingURL`, inline or beside them).
 *
 * @since 0.1.0
 */
import { readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import type { SourceMapping } from "node:module"
import { dirname, isAbsolute, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import type { Place } from "./agent/Protocol.ts"
import { isProgramFrame } from "./AllocationSites.ts"

const comment = /\/\/[#@]\s*sourceMappingURL=(\S+)\s*$/gm

/**
 * Makes the function that maps places, reading each file once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): (place: Place) => Place => {
  const maps = new Map<string, { readonly map: SourceMap; readonly folder: string } | undefined>()

  const mapOf = (file: string) => {
    if (!maps.has(file)) maps.set(file, read(file))
    return maps.get(file)
  }

  return (place) => {
    const { column, file, line, name } = place
    if (file === undefined || line === undefined || !/\.[cm]?js$/.test(file) || !isProgramFrame(place)) return place
    const known = mapOf(file)
    if (known === undefined) return place
    const entry = known.map.findEntry(line - 1, (column ?? 1) - 1) as Partial<SourceMapping> & {
      readonly name?: string
    }
    if (entry.originalSource === undefined || entry.originalLine === undefined) return place
    return {
      // Minified names say nothing; where the map has the original it is better.
      name: name.length <= 2 && entry.name !== undefined ? entry.name : name,
      file: pathOf(entry.originalSource, known.folder),
      line: entry.originalLine + 1,
      column: (entry.originalColumn ?? 0) + 1
    }
  }
}

const read = (file: string) => {
  try {
    const text = readFileSync(file, "utf8")
    const url = [...text.matchAll(comment)].at(-1)?.[1]
    if (url === undefined) return undefined
    const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/s.exec(url)
    const json = inline === null
      ? readFileSync(resolve(dirname(file), decodeURIComponent(url)), "utf8")
      : inline[1] === undefined
      ? decodeURIComponent(inline[2]!)
      : Buffer.from(inline[2]!, "base64").toString("utf8")
    return { map: new SourceMap(JSON.parse(json)), folder: dirname(file) }
  } catch {
    // A map that is missing or broken leaves the place in the built file, which is right as well.
    return undefined
  }
}

const pathOf = (source: string, folder: string): string =>
  source.startsWith("file://") ? fileURLToPath(source) : isAbsolute(source) ? source : resolve(folder, source)
