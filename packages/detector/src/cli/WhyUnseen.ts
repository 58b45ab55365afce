/** The reason why no fiber was seen: the agent was never loaded, or the processes with the agent did not load effect. */
import type { Mark } from "../agent/Mark.ts"
import type { ProgramEnd } from "../observation/ProgramEnd.ts"

/** A process of the program that runs JavaScript, as the system shows it. */
export interface Runtime {
  readonly pid: number
  readonly name: "node" | "bun" | "deno"
  /** Whether its environment carries the agent. */
  readonly hasAgent: boolean
}

/** The known facts about a program in which no fiber was seen. */
export interface Unseen {
  readonly end: ProgramEnd
  /** Processes and threads into which the agent was loaded. */
  readonly marks: ReadonlyArray<Mark>
  readonly runtimes: ReadonlyArray<Runtime>
}

/** One sentence, without its full stop. */
export const whyUnseen = ({ end, marks, runtimes }: Unseen): string => {
  // Node exits with 9 for options that it does not know or allow.
  if (end.code === 9 && marks.length === 0) {
    return "node ended with code 9 before the program ran: it may be older than 20, the first version that can load the agent"
  }
  const other = otherRuntime(end.command) ?? runtimes.find(({ name }) => name !== "node")?.name
  const without = runtimes.find(({ hasAgent, name }) => name === "node" && !hasAgent)
  const failed = end.code === undefined || end.code === 0 ? undefined : `the program failed with code ${end.code}`
  if (without !== undefined) {
    return `node (pid ${without.pid}) was started without the NODE_OPTIONS that load the agent: its parent process removed them`
  }
  if (marks.length > 0) {
    return failed !== undefined
      ? `${failed} before a fiber of effect ran`
      : `the agent was loaded into ${list(marks)}, but effect was not loaded there`
  }
  if (other !== undefined) return `${other} ran the program, but the agent can only be loaded into node`
  if (failed !== undefined) return `${failed} before the agent was loaded into a node process`
  return "the agent was never loaded: no process of the program was node, or a parent process removed NODE_OPTIONS"
}

/** Bun and Deno by the name of the command. */
const otherRuntime = ([command = ""]: ReadonlyArray<string>): "bun" | "deno" | undefined => {
  const name = command.split(/[\\/]/).at(-1)!.replace(/\.exe$/, "")
  return name === "bun" || name === "bunx" ? "bun" : name === "deno" ? "deno" : undefined
}

const most = 3

const list = (marks: ReadonlyArray<Mark>): string => {
  const names = [...new Set(marks.map(({ argv }) => `node ${argv.slice(1).join(" ")}`.trim()))]
  const shown = names.slice(0, most).map((name) => `\`${name}\``)
  return names.length <= most ? shown.join(" and ") : `${shown.join(", ")} and ${names.length - most} more`
}
