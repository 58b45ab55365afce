/**
 * The entry of the agent, loaded into the observed program by `node --import`.
 *
 * It does nothing without {@link environment}.socket. It is the outermost guard: when a file of the agent is missing or fails to load,
 * the program starts normally, and the run receives one message with the reason.
 */
import process from "node:process"
import { environment } from "./Protocol.ts"

/** Sends one message over its own connection, because the Channel module may be the one that cannot be loaded. */
const report = async (socket: string, error: unknown): Promise<void> => {
  const { connect } = await import("node:net")
  const connection = connect({ path: socket }).on("error", () => {}) // guarded: it does nothing
  connection.unref()
  connection.end(JSON.stringify({ type: "problem", t: 0, probe: "agent", message: String(error) }) + "\n")
}

const socket = process.env[environment.socket]
if (socket !== undefined) {
  try {
    const { register } = await import("./Registration.ts")
    register(socket, process.env[environment.options])
  } catch (error) {
    await report(socket, error).catch(() => {}) // guarded: it does nothing
  }
}
