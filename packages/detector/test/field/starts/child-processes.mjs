// Repeats the program of effect's documentation that starts a child process and reads what it prints.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schedule } from "effect"
import { program } from "./src/60_child-process/10_working-with-child-processes.ts"

program.pipe(
  Effect.repeat(Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 79 }))),
  Effect.andThen(Console.log("all children have ended")),
  Effect.andThen(Effect.never),
  NodeRuntime.runMain
)
