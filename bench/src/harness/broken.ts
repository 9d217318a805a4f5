/** How often a promise was broken, and which. */
export type Broken = readonly [count: number, words: string]

/** The promises that were broken, in words; empty when all were kept. */
export function brokenWords(promises: readonly Broken[]): string {
  return promises
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${count} ${words}`)
    .join(', ')
}

/** The sentence that a demo ends with, of what was broken in each of its acts. */
export function keptSentence(client: string, acts: readonly string[]): string {
  const broken = acts.filter((words) => words !== '')
  return `${client}: ${broken.length === 0 ? 'every promise kept.' : `NOT KEPT: ${broken.join('; ')}`}`
}
