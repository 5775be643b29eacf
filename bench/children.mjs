// Every process and temporary folder that the bench starts is noted here, so that all are gone when it ends, however
// it ends. Two kinds of process: programs (spawned, talked to over TCP) and helpers (our own scripts, asked over IPC).

import { fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const keptStderrCharacters = 4000
/** Children that have not ended, with the way to end them. */
const running = new Map()
const folders = new Set()

/** Ends all children and removes all folders when this process ends, be it by an error or a signal. Call it once. */
export function cleanUpOnExit() {
  process.on('exit', () => {
    for (const child of running.keys()) child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]))
  }
}

/** Ends what a scenario has started, however far it came. */
export async function stopAllChildren() {
  await Promise.all([...running.values()].map((stop) => stop()))
}

/** Makes a temporary folder that goes away with the bench. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-bench-'))
  folders.add(folder)
  return folder
}

/**
 * @typedef {object} Program
 * @property {number} pid
 * @property {Promise<number | string>} ended resolves with the exit code or the signal
 * @property {() => boolean} hasEnded
 * @property {() => string} lastWords how it ended, and the last of what it wrote to stderr
 * @property {() => string} errorText
 * @property {import('node:stream').Readable | null} stdout
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a program with as many file descriptors as the hard limit allows. `exec` keeps the shell's pid, so the pid is
 * the program's own. Its stdout goes nowhere unless asked for, so that logging costs no peer a reader.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ keepStdout?: boolean }} [options]
 * @returns {Program}
 */
export function startProgram(command, args, { keepStdout = false } = {}) {
  const script = 'ulimit -n "$(ulimit -Hn)" 2>/dev/null; exec "$@"'
  const child = spawn('sh', ['-c', script, 'sh', command, ...args], {
    stdio: ['ignore', keepStdout ? 'pipe' : 'ignore', 'pipe'],
  })
  let errorText = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errorText = (errorText + text).slice(-keptStderrCharacters)
  })
  const lastWords = () => {
    const end = child.exitCode ?? child.signalCode
    return `${end === null ? 'still running' : `ended with ${end}`}, stderr: ${withoutStack(errorText) || 'empty'}`
  }
  return { ...track(child), errorText: () => errorText.trim(), lastWords, stdout: child.stdout }
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ timeoutMs: number, anyExitCode?: boolean }} options
 * @returns {Promise<{ stdout: string, errorText: string }>}
 * @throws {Error} when it fails or takes too long, with what it wrote
 */
export async function runProgram(command, args, { timeoutMs, anyExitCode = false }) {
  const program = startProgram(command, args, { keepStdout: true })
  let stdout = ''
  program.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    void program.stop()
  }, timeoutMs)
  const code = await program.ended
  clearTimeout(timer)
  if (timedOut) throw new Error(`${command} took longer than ${timeoutMs} ms and was ended`)
  if (code !== 0 && !anyExitCode) {
    throw new Error(`${command} ended with ${code}: ${program.errorText() || stdout.trim().slice(-500)}`)
  }
  return { stdout, errorText: program.errorText() }
}

/**
 * Starts one of the bench's own scripts, which answers requests (see helper.mjs), one at a time.
 *
 * @param {URL} script
 * @returns {{ pid: number, ask: (request: object) => Promise<any>, stop: () => Promise<void> }}
 */
export function startHelper(script) {
  const name = fileURLToPath(script)
  const child = fork(name, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const { pid, hasEnded, stop } = track(child)
  const ask = (request) => {
    return new Promise((resolve, reject) => {
      if (hasEnded()) return reject(new Error(`${name} has ended`))
      const onEnd = () => reject(new Error(`${name} ended before it answered`))
      child.once('exit', onEnd)
      child.once('message', (answer) => {
        child.off('exit', onEnd)
        if (answer.error === undefined) resolve(answer.result)
        else reject(new Error(answer.error))
      })
      child.send(request)
    })
  }
  return { pid, ask, stop }
}

/** On one line, for the notes. */
function withoutStack(text) {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('at ')).join(' / ')
}

function track(child) {
  let hasEnded = false
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? code))
    child.once('exit', () => {
      hasEnded = true
      running.delete(child)
    })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    // A program that does not end by itself must not hold up the bench.
    const timer = setTimeout(() => child.kill('SIGKILL'), 1000)
    await ended
    clearTimeout(timer)
  }
  running.set(child, stop)
  return { pid: child.pid, ended, hasEnded: () => hasEnded, stop }
}
