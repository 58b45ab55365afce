/**
 * Notifies systemd about a service of `Type=notify`.
 *
 * systemd listens on a datagram socket of the file system, which Node cannot open: `systemd-notify`, which comes with it, can.
 */
import { spawn } from "node:child_process"

/** Does nothing without a listener; `onFailure` is called when the notification failed. */
export const notifyServiceManager = (messages: ReadonlyArray<string>, onFailure: (message: string) => void): void => {
  if (process.env["NOTIFY_SOCKET"] === undefined) return
  const failed = (why: string) => onFailure(`systemd was not notified of ${messages.join(" ")}: ${why}`)
  try {
    // systemd-notify waits for the receipt: systemd may fail to identify the sender of a message after the sender has exited.
    const child = spawn("systemd-notify", messages, { stdio: "ignore" })
    child.on("error", ({ message }) => failed(message))
    child.on("exit", (code) => code !== 0 && failed(`systemd-notify exits with ${code}`))
    child.unref()
  } catch (error) {
    failed(String(error))
  }
}
