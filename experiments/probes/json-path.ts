// JSON paths (RFC 9535) whose regular expressions run in linear time: paths and documents come from outside.
import { FunctionExpressionType, JSONPathEnvironment, type FilterFunction, type JSONValue } from 'json-p3'
import { compilePattern, type TextTest } from '../../proxy/pattern.ts'
import { invalidField } from './invalid.ts'

/** All values that a path selects, in the document's order. */
export type JsonPath = (document: unknown) => readonly unknown[]

const environment = new JSONPathEnvironment()
environment.functionRegister.set(
  'match',
  regexFunction((source) => `^(?:${source})$`),
)
environment.functionRegister.set(
  'search',
  regexFunction((source) => source),
)

/** @throws FaultlineError `invalid_value` naming the field */
export function compileJsonPath(path: string, field: string): JsonPath {
  try {
    const query = environment.compile(path)
    return (document) => query.query(document as JSONValue).values()
  } catch (error) {
    throw invalidField(field, 'a JSON path as in RFC 9535', path, error)
  }
}

/** `match()` and `search()`, RFC 9535 sections 2.4.6 and 2.4.7: what is no text, or no expression, does not match. */
function regexFunction(whole: (source: string) => string): FilterFunction {
  // A path asks with the same expression for every node of a document.
  let latest: { readonly source: string; readonly test: TextTest } | undefined
  return {
    argTypes: [FunctionExpressionType.ValueType, FunctionExpressionType.ValueType],
    returnType: FunctionExpressionType.LogicalType,
    call(text: unknown, source: unknown) {
      if (typeof text !== 'string' || typeof source !== 'string') return false
      try {
        if (latest?.source !== source)
          latest = { source, test: compilePattern({ regex: whole(source) }, 'text', 'regex') }
        return latest.test(text)
      } catch {
        return false
      }
    },
  }
}
