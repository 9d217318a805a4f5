/** The end of a promise as text: `done`, or the error's code, outcome and SQLSTATE. */
export async function describeEnd(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'done'
  } catch (error) {
    const { code, outcome, sqlState } = error as Readonly<Record<string, unknown>>
    return `${String(code)} ${String(outcome)} ${String(sqlState)}`
  }
}
