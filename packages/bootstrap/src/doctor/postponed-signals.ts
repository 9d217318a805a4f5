const terminationSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work that must not be cut in the middle: a signal that would end this process aborts the signal that the work
 * gets, and ends the process when the work has ended. Whoever listens for such signals decides alone.
 */
export async function deferSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController()
  let caught: NodeJS.Signals | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    caught ??= name
    interrupt.abort(new Error(`${name} was received`))
  }
  const unheard = terminationSignals.filter((name) => process.listenerCount(name) === 0)
  for (const name of unheard) process.on(name, onSignal)
  try {
    return await work(interrupt.signal)
  } finally {
    for (const name of unheard) process.off(name, onSignal)
    if (caught !== undefined) process.kill(process.pid, caught)
  }
}
