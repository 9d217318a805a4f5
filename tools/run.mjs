// npm run demo | drill | bench | hactl | build: installs and builds what is missing, then runs the command.
import { prepare, run } from './prepare.mjs'

const programs = {
  demo: ['bench/dist/main.js', 'demo'],
  drill: ['bench/dist/main.js', 'drill'],
  bench: ['bench/dist/main.js', 'bench'],
  hactl: ['packages/bootstrap/dist/cli/hactl.js'],
}

const [command, ...args] = process.argv.slice(2)
prepare()
if (command !== 'build') process.exit(run(process.execPath, [...programs[command], ...args]))
