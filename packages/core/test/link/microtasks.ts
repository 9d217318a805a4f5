/** Resolves that many microtasks later: for instants between two steps of a chain of promises. */
export async function microtasks(number: number): Promise<void> {
  for (let i = 0; i < number; i++) await undefined
}
