/** Waits until something is so; a test that waits in vain says for what. */
export async function until(what: string, isSo: () => boolean, timeoutMs = 8_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await pause(5)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** How a promise ended, as text: `done`, or the error's code, outcome and SQLSTATE. */
export async function ending(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'done'
  } catch (error) {
    const { code, outcome, sqlState } = error as Readonly<Record<string, unknown>>
    return `${String(code)} ${String(outcome)} ${String(sqlState)}`
  }
}
