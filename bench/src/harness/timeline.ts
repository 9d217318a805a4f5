/** One row of the picture: instants of something, in a colour. */
export interface Track {
  readonly name: string
  readonly colour: string
  /** Milliseconds since 1970. */
  readonly instants: readonly number[]
}

/** A moment or a stretch of time that is marked over all rows. */
export interface Mark {
  readonly label: string
  readonly fromMs: number
  readonly toMs: number
}

export interface Timeline {
  readonly title: string
  readonly fromMs: number
  readonly toMs: number
  readonly tracks: readonly Track[]
  readonly marks: readonly Mark[]
}

const width = 960
const left = 150
const trackHeight = 56
const top = 56
const bucketMs = 50

/** An SVG timeline: for each row how much happened in each 50 ms, with the faults marked. */
export function drawTimeline(picture: Timeline): string {
  const height = top + picture.tracks.length * trackHeight + 36
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(picture.title)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${left}" y="22" font-size="15" font-weight="bold">${escapeXml(picture.title)}</text>`,
    ...picture.marks.map((mark) => drawMark(picture, mark, height)),
    ...picture.tracks.map((track, i) => drawTrack(picture, track, top + i * trackHeight)),
    ...drawAxis(picture, height - 18),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

function drawMark(picture: Timeline, { label, fromMs, toMs }: Mark, height: number): string {
  const x = xOf(picture, fromMs)
  const wide = Math.max(1.5, xOf(picture, toMs) - x)
  return [
    `<rect x="${x}" y="36" width="${wide}" height="${height - 66}" fill="#d33" opacity="0.13"/>`,
    `<line x1="${x}" x2="${x}" y1="36" y2="${height - 30}" stroke="#b00" stroke-width="1.5"/>`,
    `<text x="${x + 4}" y="46" fill="#b00">${escapeXml(label)}</text>`,
  ].join('')
}

function drawTrack(picture: Timeline, { name, colour, instants }: Track, y: number): string {
  const counts = new Map<number, number>()
  for (const atMs of instants) {
    const bucket = Math.floor((atMs - picture.fromMs) / bucketMs)
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
  }
  const usual = Math.max(1, [...counts.values()].sort((a, b) => a - b)[Math.floor(counts.size * 0.9)] ?? 1)
  const barWidth = Math.max(0.6, xOf(picture, picture.fromMs + bucketMs) - left)
  const bars = [...counts].map(([bucket, count]) => {
    const tall = Math.min(1, count / usual) * (trackHeight - 16)
    const x = xOf(picture, picture.fromMs + bucket * bucketMs)
    return `<rect x="${x.toFixed(1)}" y="${(y + trackHeight - 8 - tall).toFixed(1)}" width="${barWidth.toFixed(1)}" height="${tall.toFixed(1)}"/>`
  })
  const base = y + trackHeight - 8
  return [
    `<text x="8" y="${y + trackHeight / 2}">${escapeXml(name)}</text>`,
    `<line x1="${left}" x2="${width - 10}" y1="${base}" y2="${base}" stroke="#ccc"/>`,
    `<g fill="${colour}">${bars.join('')}</g>`,
  ].join('')
}

function drawAxis(picture: Timeline, y: number): readonly string[] {
  const seconds = Math.floor((picture.toMs - picture.fromMs) / 1_000)
  const step = Math.max(1, Math.ceil(seconds / 12))
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step)
  return ticks.map((second) => {
    const x = xOf(picture, picture.fromMs + second * 1_000)
    return `<text x="${x}" y="${y}" fill="#666" text-anchor="middle">${second} s</text>`
  })
}

function xOf({ fromMs, toMs }: Timeline, atMs: number): number {
  return left + ((atMs - fromMs) / (toMs - fromMs)) * (width - left - 10)
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
