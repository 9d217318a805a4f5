/** The candidate that is nearest to a misspelled word; undefined when none is near. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  const wanted = fold(word)
  // One error in three letters is a typo; more make another word.
  const limit = Math.max(1, Math.floor(wanted.length / 3))
  let best: { readonly candidate: string; readonly distance: number } | undefined
  for (const candidate of candidates) {
    // Each extra letter is an error: a much longer text needs no table.
    if (Math.abs(wanted.length - fold(candidate).length) > limit) continue
    const distance = editDistance(wanted, fold(candidate))
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { candidate, distance }
  }
  return best?.candidate
}

/** `; did you mean 'x'?`, or nothing, to end a message about an unknown word. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const nearest = nearestWord(word, candidates)
  return nearest === undefined ? '' : `; did you mean '${nearest}'?`
}

// connection-timeout, connection_timeout and connectionTimeout are one word.
function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_.]/g, '')
}

// Optimal string alignment: swapped neighbours count once.
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? at(rows, i - 2, j - 2) + 1
          : Number.POSITIVE_INFINITY
      row.push(
        Math.min((row[j - 1] ?? 0) + 1, at(rows, i - 1, j) + 1, at(rows, i - 1, j - 1) + cost, swapped),
      )
    }
    rows.push(row)
  }
  return at(rows, a.length, b.length)
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? Number.POSITIVE_INFINITY
}
