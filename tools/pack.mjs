// Packs each package as it would be published, installs the packs into an empty folder, and uses them from ESM and
// from require(): what a user gets, and nothing of this workspace.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The packages that are published. */
export const published = readdirSync(join(root, 'packages'))

/** Packs every published package into a folder; returns the file of each by its name. */
export function packAll(folder) {
  const files = {}
  for (const name of published) {
    const cwd = join(root, 'packages', name)
    const out = execFileSync('npx', ['-y', 'pnpm@12.21.0', 'pack', '--json', '--pack-destination', folder], {
      cwd,
      encoding: 'utf8',
    })
    files[name] = JSON.parse(out.slice(out.indexOf('{'))).filename
  }
  return files
}

/** Runs `work` with an empty folder, which is gone afterwards. */
export async function inEmptyFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'ha-pack-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Installs packs into a folder; returns the names of everything that came with them. */
export function install(folder, files) {
  const overrides = Object.fromEntries(
    Object.entries(files).map(([name, file]) => [`@ha/${name}`, `file:${file}`]),
  )
  const manifest = { name: 'user', private: true, type: 'module', dependencies: overrides, overrides }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    encoding: 'utf8',
  })
  const listed = JSON.parse(execFileSync('npm', ['ls', '--all', '--json'], { cwd: folder, encoding: 'utf8' }))
  return [...names(listed)].sort()
}

function* names({ dependencies = {} }) {
  for (const [name, child] of Object.entries(dependencies)) {
    yield name
    yield* names(child)
  }
}

/** Loads every entry of a package from a user's folder, in both ways, and compares what they export. */
export function useFrom(folder, name, entries) {
  const list = JSON.stringify(entries)
  const program = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const entry of ${list}) {
      const esm = Object.keys(await import(entry)).sort().join()
      const cjs = Object.keys(require(entry)).filter((key) => key !== '__esModule').sort().join()
      if (esm === '' || esm !== cjs) throw new Error(entry + ': ESM exports ' + esm + ', require() gives ' + cjs)
    }`
  const file = join(folder, `use-${name}.mjs`)
  writeFileSync(file, program)
  execFileSync(process.execPath, ['--no-warnings', file], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
}
