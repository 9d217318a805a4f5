/** Whether a routing key fits a topic pattern: `*` is exactly one word, `#` any number of words. */
export function fitsTopic(pattern: string, key: string): boolean {
  return fits(wordsOf(pattern), wordsOf(key))
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('.')
}

function fits(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...restOfPattern] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') return anyTail(words).some((tail) => fits(restOfPattern, tail))
  const [word, ...restOfWords] = words
  return word !== undefined && (first === '*' || first === word) && fits(restOfPattern, restOfWords)
}

function anyTail(words: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: words.length + 1 }, (_, i) => words.slice(i))
}
