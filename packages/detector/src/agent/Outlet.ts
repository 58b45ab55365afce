/** Where an agent's messages go: over a channel to another process, or to a function in this one. */
import type { Message } from "./Protocol.ts"

/** Takes messages to the other side, in order. */
export interface Outlet {
  readonly send: (message: Message) => void
  /** Sends messages that are made one by one, as there is room for them. */
  readonly sendAll: (messages: Iterator<Message>) => void
  /** Whether messages wait for the other side to read. */
  readonly isBusy: () => boolean
}

/** An outlet to a function, which takes each message as it is sent. */
export const outletTo = (send: (message: Message) => void): Outlet => ({
  send,
  sendAll: (messages) => {
    for (let next = messages.next(); next.done !== true; next = messages.next()) send(next.value)
  },
  isBusy: () => false
})
