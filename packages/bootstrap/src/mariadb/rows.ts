/** The first two columns of what the client program printed, by the first. */
export function pairs(output: string): ReadonlyMap<string, string> {
  return new Map(rows(output).map(([key = '', value = '']) => [key.toLowerCase(), value]))
}

/** The rows that the client program printed: columns are parted by tabs. */
export function rows(output: string): readonly (readonly string[])[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}
