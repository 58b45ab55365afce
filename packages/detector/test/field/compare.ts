/** Whether a program behaved under observation as it does without: pure functions over what two runs left. */
import type { Answer } from "./Program.ts"

/** How a program came to its end. */
export interface Ending {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly ms: number
}

export interface Behaviour {
  readonly output: string
  readonly answers: ReadonlyArray<Answer>
  readonly ending: Ending
  readonly ready: boolean
}

const variable: ReadonlyArray<readonly [RegExp, string]> = [
  // eslint-disable-next-line no-control-regex -- colours
  [/\u001b\[[0-9;]*m/g, ""],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "<uuid>"],
  [/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?/g, "<time>"],
  [/\b\d{2}:\d{2}:\d{2}(\.\d+)?\b/g, "<time>"],
  [/\(#\d+\)/g, "(#fiber)"],
  [/\b(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):\d+/g, "$1:<port>"],
  [/\b\d+(\.\d+)?\s?(ms|µs|s)\b/g, "<duration>"],
  [/\b(pid|PID)[ =:]+\d+/g, "$1 <pid>"],
  [/\b[0-9a-f]{7,40}\b/g, "<hash>"]
]

/** The text without what differs from run to run: times, fiber numbers, ports, random identifiers, colours and the folder. */
export const normalise = (text: string, folder = ""): string => {
  const moved = folder === "" ? text : text.replaceAll(folder, "<folder>")
  return variable.reduce((known, [pattern, name]) => known.replace(pattern, name), moved)
}

const linesOf = (text: string): ReadonlyArray<string> => text.split("\n").map((line) => line.trimEnd()).filter(Boolean)

const countsOf = (lines: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}

/** Whether two numbers of a timed line are as near as two runs of the same length are. */
export const near = (a: number, b: number): boolean => Math.abs(a - b) <= Math.max(2, Math.ceil(Math.max(a, b) / 5))

/** Which lines of an output may differ: `timed` a little in their number, `ignored` altogether. */
export interface Lines {
  readonly timed?: RegExp | undefined
  readonly ignored?: RegExp | undefined
}

/** The lines that one output has and the other has not, or has another number of times. */
export const differentLines = (
  plain: string,
  observed: string,
  { ignored, timed }: Lines = {}
): ReadonlyArray<string> => {
  const kept = (text: string) => linesOf(text).filter((line) => ignored?.test(line) !== true)
  const left = countsOf(kept(plain))
  const right = countsOf(kept(observed))
  const differences: Array<string> = []
  for (const line of new Set([...left.keys(), ...right.keys()])) {
    const before = left.get(line) ?? 0
    const after = right.get(line) ?? 0
    if (before === after || (timed?.test(line) === true && near(before, after))) continue
    differences.push(`stdout, ${before} times without and ${after} times with the tool: ${line.slice(0, 160)}`)
  }
  return differences
}

/** The answers that differ, in the order of the requests. */
export const differentAnswers = (
  plain: ReadonlyArray<Answer>,
  observed: ReadonlyArray<Answer>
): ReadonlyArray<string> => {
  const differences: Array<string> = []
  if (plain.length !== observed.length) {
    differences.push(`${plain.length} answers without and ${observed.length} with the tool`)
  }
  for (const [i, { answer, request }] of plain.entries()) {
    const other = observed[i]
    if (other === undefined || (other.request === request && other.answer === answer)) continue
    differences.push(
      `answer ${i + 1} to ${request.slice(0, 80)}: ${answer.slice(0, 120)} without, ${
        other.answer.slice(0, 120)
      } with the tool`
    )
  }
  return differences
}

const describe = ({ code, signal }: Ending): string => signal === undefined ? `code ${code}` : signal

/** All in which an observed run differs from a plain one; nothing if the program was not hurt. */
export const differences = (
  plain: Behaviour,
  observed: Behaviour,
  options: Lines & { readonly folder?: string } = {}
): ReadonlyArray<string> => {
  const text = (behaviour: Behaviour) => normalise(behaviour.output, options.folder)
  const answers = (behaviour: Behaviour) =>
    behaviour.answers.map(({ answer, request }) => ({
      request: normalise(request, options.folder),
      answer: normalise(answer, options.folder)
    }))
  return [
    ...(plain.ready === observed.ready
      ? []
      : [`it was ${plain.ready ? "ready only without" : "ready only with"} the tool`]),
    ...(describe(plain.ending) === describe(observed.ending)
      ? []
      : [`it ended with ${describe(plain.ending)} without and with ${describe(observed.ending)} with the tool`]),
    ...(observed.ending.ms <= plain.ending.ms + 3000
      ? []
      : [`its end took ${plain.ending.ms} ms without and ${observed.ending.ms} ms with the tool`]),
    ...differentLines(text(plain), text(observed), options),
    ...differentAnswers(answers(plain), answers(observed))
  ]
}
