/** Milliseconds since 1970 with the fineness of a monotonic clock: comparable between processes of one machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}
