// A service has some hundred statements. One that writes its values into them has endless many, each of them once.
const mostTexts = 500
const longestText = 4_096

/**
 * Remembers what a pure function said of a text: programs send the same few statements again and again. Holds at most
 * 500 texts of 4 096 characters each; longer ones are asked of anew.
 */
export function remembered<T>(of: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    if (text.length > longestText) return of(text)
    const before = known.get(text)
    if (before !== undefined) return before
    const said = of(text)
    if (known.size >= mostTexts) known.clear()
    known.set(text, said)
    return said
  }
}
