/** How a promise ended, as text: the receipt or the error's code and outcome. */
export async function settlement(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'confirmed'
  } catch (error) {
    const { code, outcome } = error as { code?: unknown; outcome?: unknown }
    return `${String(code)} ${String(outcome)}`
  }
}
