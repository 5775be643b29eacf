// In what the bytes of a message differ from those that were sent, in a few words.

const shownCharacters = 44
const shownLines = 3

/** Headers of a connection, which a proxy may call its own (RFC 9110 section 7.6.1). */
const ownHeaders = new Set(['connection', 'keep-alive', 'proxy-connection'])

/**
 * @typedef {object} ByteDifference
 * @property {string[]} taste what could be called a matter of taste
 * @property {string[]} substance
 */

/**
 * @param {string} sent
 * @param {string} arrived
 * @returns {ByteDifference} both empty when they are the same
 */
export function differenceOfBytes(sent, arrived) {
  if (sent === arrived) return { taste: [], substance: [] }
  if (arrived === '') return { taste: [], substance: ['nothing came'] }
  const [before, after] = [sent, arrived].map((text) => text.split(/\r?\n/))
  // Another answer differs in all else as well.
  if (statusOf(before) !== statusOf(after)) return { taste: [], substance: [`${short(after[0])} instead`] }
  const [plainBefore, plainAfter] = [before, after].map((lines) => lines.map(plain).filter((line) => line !== ''))
  const lost = without(plainBefore, plainAfter).map(short)
  const added = without(plainAfter, plainBefore).map(short)
  const changed = lost.filter((line) => added.includes(line))
  const isReordered = lost.length + added.length === 0 && plainBefore.join('\n') !== plainAfter.join('\n')
  const taste = [
    ...(hasOtherCase(before, after) ? ['case of headers'] : []),
    ...(isReordered ? ['order of headers'] : []),
    ...(ownHeadersOf(before) === ownHeadersOf(after) ? [] : ['Connection']),
  ]
  const substance = [
    ...list('changed', changed),
    ...list('lost', without(lost, changed)),
    ...list('new', without(added, changed)),
  ]
  return taste.length + substance.length === 0 ? { taste: ['line ends or blanks'], substance } : { taste, substance }
}

/** Undefined for a request. */
function statusOf([firstLine]) {
  return /^HTTP\/\d\.\d (\d+)/.exec(firstLine)?.[1]
}

function list(word, lines) {
  if (lines.length === 0) return []
  const more = lines.length > shownLines ? ` and ${lines.length - shownLines} more` : ''
  return [`${word} ${[...new Set(lines.slice(0, shownLines))].join(', ')}${more}`]
}

function hasOtherCase(before, after) {
  const names = namesOf(before)
  return without(namesOf(after), names).some((name) =>
    names.some((other) => other.toLowerCase() === name.toLowerCase()),
  )
}

function namesOf(lines) {
  return lines.map((line) => /^[^:\s]+(?=:)/.exec(line)?.[0]).filter((name) => name !== undefined)
}

function ownHeadersOf(lines) {
  return lines.filter((line) => ownHeaders.has(line.split(':')[0].toLowerCase())).join()
}

/** Without what is a matter of taste. */
function plain(line) {
  const [, name, value] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/s.exec(line) ?? []
  if (name === undefined) return line
  return ownHeaders.has(name.toLowerCase()) ? '' : `${name.toLowerCase()}: ${value}`
}

/** A header by its name, another line as it is. */
function short(line) {
  const [, name] = /^([^:\s]+): /.exec(line) ?? []
  const text = name ?? (line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line)
  const printable = text.replaceAll(/[^ -~…]/g, '?')
  return name === undefined ? `"${printable}"` : printable
}

/** What is left of some when one of it is taken out for each of the others. */
function without(some, others) {
  const left = [...others]
  return some.filter((line) => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
