// npm run test:quick: the unit tests and contracts of every package that the uncommitted change affects; without one,
// of those that the last commit affects. No servers. `npm run test:quick -- REV` goes back to another commit.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bin, prepare } from './prepare.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

prepare()
const paths = affected(changedFiles())
if (paths.length === 0) console.log('no package is affected by the change')
else {
  console.log(`- unit tests and contracts of ${paths.join(', ')}`)
  process.exit(bin('vitest', ['run', '--project', 'unit', '--project', 'contract', ...paths]))
}

function changedFiles() {
  const [since] = process.argv.slice(2)
  if (since !== undefined) return git('diff', '--name-only', since)
  const files = [...git('diff', '--name-only', 'HEAD'), ...git('ls-files', '--others', '--exclude-standard')]
  return files.length > 0 ? files : git('diff', '--name-only', 'HEAD~1')
}

// The workspaces with a changed file, and all that depend on one of them.
function affected(files) {
  const workspaces = listWorkspaces()
  const isShared = (file) => !file.includes('/') || file.startsWith('tools/')
  const paths = new Set(files.filter(isShared).map(() => 'tools'))
  const names = new Set(
    workspaces
      .filter(({ path }) => files.some((file) => file.startsWith(`${path}/`)))
      .map(({ name }) => name),
  )
  for (let before = -1; before !== names.size; ) {
    before = names.size
    for (const { name, needs } of workspaces) if (needs.some((need) => names.has(need))) names.add(name)
  }
  for (const { name, path } of workspaces) if (names.has(name)) paths.add(`${path}/`)
  return [...paths]
}

function listWorkspaces() {
  const paths = [...folders('packages'), ...folders('examples'), 'bench']
  return paths.map((path) => {
    const manifest = JSON.parse(readFileSync(`${root}/${path}/package.json`, 'utf8'))
    // Development dependencies are what its tests stand on; real clusters are not part of a quick run.
    const { name, dependencies = {}, devDependencies = {} } = manifest
    const needs = Object.keys({ ...dependencies, ...devDependencies }).filter(
      (each) => each !== '@ha/bootstrap',
    )
    return { name, path, needs }
  })
}

function folders(name) {
  return readdirSync(`${root}/${name}`)
    .map((each) => `${name}/${each}`)
    .filter((path) => existsSync(`${root}/${path}/package.json`))
}

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean)
}
