# Process: python3 http-client.py PORT. Sends requests of each kind on one connection of http.client and prints what it
# is told.
import http.client
import sys

connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=10)


def exchange(method, path, **options):
    connection.request(method, path, **options)
    answer = connection.getresponse()
    print(method, path, answer.version, answer.status, answer.reason, answer.getheaders(), answer.read())


exchange('GET', '/first')
exchange('GET', '/second', headers={'X-Odd-CASE': 'a'})
exchange('POST', '/length', body=b'hello')
chunked = {'Transfer-Encoding': 'chunked'}
exchange('POST', '/chunked', body=iter([b'hello', b'world']), headers=chunked, encode_chunked=True)
exchange('HEAD', '/head')
exchange('GET', '/close')
