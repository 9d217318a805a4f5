/** Runs until the function ends, or until Ctrl-C: then everything that was started is stopped, and the exit code is 130. */
export async function runUntilInterrupted(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupted = new AbortController()
  // Not `once`: npm forwards a second signal after the one from the terminal.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort())
  try {
    await run(interrupted.signal)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    process.exitCode = 130
  }
}
