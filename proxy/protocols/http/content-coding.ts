// Content codings (RFC 9110 section 8.4.1) that faults can look into.
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib'
import { systemCode } from '../../errors.ts'
import type { HttpHead } from './head.ts'

interface Coding {
  readonly decode: (content: Buffer, maxOutputLength: number) => Buffer
  readonly encode: (content: Buffer) => Buffer
}

// A coding that is cut off in the middle gives what could be decoded so far.
const partial = { finishFlush: constants.Z_SYNC_FLUSH }

const gzip: Coding = {
  decode: (content, maxOutputLength) => gunzipSync(content, { ...partial, maxOutputLength }),
  encode: (content) => gzipSync(content),
}

const codings: Readonly<Record<string, Coding>> = {
  identity: { decode: (content) => content, encode: (content) => content },
  gzip,
  'x-gzip': gzip,
  deflate: {
    decode: (content, maxOutputLength) => inflateSync(content, { ...partial, maxOutputLength }),
    encode: (content) => deflateSync(content),
  },
  br: {
    decode: (content, maxOutputLength) =>
      brotliDecompressSync(content, { finishFlush: constants.BROTLI_OPERATION_FLUSH, maxOutputLength }),
    encode: (content) => brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  },
}

/** The coding of a message, or undefined if it can't be looked into. */
export function codingOf(head: HttpHead): Coding | undefined {
  return codings[(head.header('content-encoding') ?? 'identity').trim().toLowerCase()]
}

/** Content without its coding; undefined if it has one that is unknown or does not decode within the limit. */
export function decodeContent(head: HttpHead, content: Buffer, maxBytes: number): Buffer | undefined {
  try {
    return codingOf(head)?.decode(content, maxBytes)
  } catch {
    return undefined
  }
}

/** So much is decoded at most, whatever is wanted of it. */
const MAX_DECODED_BYTES = 1024 * 1024

/**
 * What the beginning of content decodes to, at most `maxBytes`, for those who only look; undefined if it does not. A
 * beginning that decodes to very much more may give less than could be had.
 */
export function decodeBeginning(head: HttpHead, content: Buffer, maxBytes: number): Buffer | undefined {
  const coding = codingOf(head)
  if (!coding) return undefined
  // zlib can't be told to stop when there is enough, only to fail: it gets less, until the result is not huge.
  for (let length = content.length; ; length >>= 1) {
    try {
      return coding.decode(content.subarray(0, length), MAX_DECODED_BYTES).subarray(0, maxBytes)
    } catch (error) {
      if (systemCode(error) !== 'ERR_BUFFER_TOO_LARGE' || length <= 1) return undefined
    }
  }
}
