// Process: go run http-client.go PORT. Sends requests of each kind on one connection of net/http and prints what it is
// told.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sort"
	"strings"
	"time"
)

var client = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{MaxConnsPerHost: 1, ExpectContinueTimeout: 5 * time.Second},
}

func exchange(method string, path string, body io.Reader, expect bool) {
	request, err := http.NewRequest(method, "http://127.0.0.1:"+os.Args[1]+path, body)
	check(err)
	if expect {
		request.Header.Set("Expect", "100-continue")
	}
	trace := &httptrace.ClientTrace{
		GotConn:        func(info httptrace.GotConnInfo) { fmt.Println("reused", info.Reused) },
		Got100Continue: func() { fmt.Println("100") },
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			fmt.Println(code, header)
			return nil
		},
	}
	answer, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	check(err)
	content, err := io.ReadAll(answer.Body)
	check(err)
	answer.Body.Close()
	fmt.Println(method, path, answer.Proto, answer.Status, answer.ContentLength, answer.TransferEncoding)
	fmt.Println(sorted(answer.Header), string(content), sorted(answer.Trailer))
}

func sorted(header http.Header) string {
	lines := []string{}
	for name, values := range header {
		lines = append(lines, name+": "+strings.Join(values, " | "))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// A reader of unknown length makes net/http send chunks.
func unknownLength() io.Reader {
	return io.MultiReader(strings.NewReader("hello"), strings.NewReader("world"))
}

func main() {
	exchange("GET", "/first", nil, false)
	exchange("GET", "/second", nil, false)
	exchange("POST", "/length", strings.NewReader("hello"), false)
	exchange("POST", "/chunked", unknownLength(), false)
	exchange("HEAD", "/head", nil, false)
	exchange("PUT", "/expect", strings.NewReader("hello"), true)
	exchange("GET", "/hints", nil, false)
	exchange("PUT", "/refuse", strings.NewReader("hello"), true)
	exchange("GET", "/close", nil, false)
}
