/** Runs until it is done, or Ctrl-C: then everything that was started is ended, and the exit code is 130. */
export async function untilInterrupted(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interrupted = new AbortController()
  // Not once: npm sends a second one after that of the terminal.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort())
  try {
    await act(interrupted.signal)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    process.exitCode = 130
  }
}
