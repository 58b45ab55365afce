/** What an agent reads. A probe that throws is reported once and switched off; nothing ever reaches the program. */

export interface Probes {
  /** Runs a probe, or answers `fallback` when it has been switched off. */
  readonly run: <A>(name: string, read: () => A, fallback: A) => A
}

export const makeProbes = (report: (probe: string, message: string) => void): Probes => {
  const off = new Set<string>()
  return {
    run: (name, read, fallback) => {
      if (off.has(name)) return fallback
      try {
        return read()
      } catch (error) {
        off.add(name)
        try {
          report(name, messageOf(error))
        } catch {
          // Whoever is to be told is part of what fails.
        }
        return fallback
      }
    }
  }
}

/** The message of anything that was thrown; the thing itself may be hostile. */
export const messageOf = (error: unknown): string => {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } catch {
    return "an error that cannot be printed"
  }
}
