/**
 * What systemd is told of a service of `Type=notify`.
 *
 * It listens on a datagram socket of the file system, which Node cannot open: `systemd-notify`, which comes with it, does.
 */
import { spawn } from "node:child_process"

/** Nothing where nobody listens; `onFailure` hears when it could not be told. */
export const tellServiceManager = (words: ReadonlyArray<string>, onFailure: (message: string) => void): void => {
  if (process.env["NOTIFY_SOCKET"] === undefined) return
  const failed = (why: string) => onFailure(`systemd was not told ${words.join(" ")}: ${why}`)
  try {
    // It waits until it was heard: systemd may not know any more whose word it was when who said it has gone.
    const child = spawn("systemd-notify", words, { stdio: "ignore" })
    child.on("error", ({ message }) => failed(message))
    child.on("exit", (code) => code !== 0 && failed(`systemd-notify exits with ${code}`))
    child.unref()
  } catch (error) {
    failed(String(error))
  }
}
