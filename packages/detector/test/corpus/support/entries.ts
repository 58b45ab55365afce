/** Builds the entries of the manifest. */
import type { Kind, Program, Rate } from "../manifest.ts"

interface PairOptions {
  readonly half: Program["half"]
  /** The folder. */
  readonly name: string
  readonly extension: "ts" | "mjs" | "cjs"
  readonly kind: Exclude<Kind, "none">
  readonly shape: string
  readonly named: boolean
  readonly slow?: boolean
  /** The names that count as right, and the lines of the functions that bear them, in the leaking program. */
  readonly guilty: {
    readonly names: ReadonlyArray<string>
    readonly lines: ReadonlyArray<readonly [first: number, last: number]>
  }
  readonly rate: Rate
  readonly note: string
}

/** A leaking program and its clean twin. */
export const pair = (
  { extension, guilty, half, kind, name, named, note, rate, shape, slow = false }: PairOptions
): ReadonlyArray<Program> => {
  const file = (variant: string) => `${half}/${name}/${variant}.${extension}`
  const leak = file("leak")
  return [
    {
      name: `${name}/leak`,
      file: leak,
      half,
      expected: "leak",
      kind,
      shape,
      slow,
      named,
      guilty: { ...guilty, file: leak },
      rate,
      note
    },
    {
      name: `${name}/clean`,
      file: file("clean"),
      half,
      expected: "ok",
      kind: "none",
      shape: `the fixed twin of ${name}/leak`,
      slow: false,
      named,
      note: "differs from its twin by the fix only"
    }
  ]
}

/** A program that looks as if it leaked, for a part of its run. */
export const lookAlike = (
  options: Pick<Program, "half" | "shape" | "named" | "note"> & {
    readonly name: string
    readonly extension: "ts" | "mjs" | "cjs"
  }
): ReadonlyArray<Program> => {
  const { extension, half, name, named, note, shape } = options
  return [{
    name: `${name}/healthy`,
    file: `${half}/${name}/healthy.${extension}`,
    half,
    expected: "ok",
    kind: "none",
    shape,
    slow: false,
    named,
    note
  }]
}
