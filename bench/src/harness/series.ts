/** Runs experiments one after the other into `results`, with a line for each. */
export async function runSeries<E, R>(
  experiments: readonly E[],
  {
    run,
    lineOf,
    results,
  }: {
    readonly run: (experiment: E) => Promise<R>
    readonly lineOf: (result: R) => string
    readonly results: R[]
  },
): Promise<void> {
  for (const [i, experiment] of experiments.entries()) {
    const result = await run(experiment)
    results.push(result)
    console.log(`${String(i + 1).padStart(3)}/${experiments.length} ${lineOf(result)}`)
  }
}

/** Results by the name of what was done, in the order in which they first came. */
export function groupedBy<R>(
  results: readonly R[],
  nameOf: (result: R) => string,
): readonly (readonly [name: string, group: readonly R[]])[] {
  const groups = new Map<string, R[]>()
  for (const result of results) {
    const name = nameOf(result)
    groups.set(name, [...(groups.get(name) ?? []), result])
  }
  return [...groups]
}
