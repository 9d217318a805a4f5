/** Prints a line with the seconds since the start of this process. */
export function log(line: string): void {
  console.log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${line}`)
}
