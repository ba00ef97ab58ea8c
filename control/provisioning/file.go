package provisioning

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/sheet"
)

// row is a person as a file has them.
type row struct {
	line  int
	is    access.Provisioned
	named string        // "active", if the file says so
	roles []access.Role // nil: it does not say
	wrong string        // why it cannot be meant
}

// columns are the names of columns, without case, spaces and signs, and what is in them.
var columns = map[string]string{
	"username": "user", "login": "user", "userprincipalname": "user", "upn": "user",
	"email": "mail", "mail": "mail", "emailaddress": "mail", "workemail": "mail",
	"externalid": "external", "id": "external", "objectid": "external", "subject": "external",
	"displayname": "display", "name": "display", "fullname": "display",
	"givenname": "given", "firstname": "given", "familyname": "family", "lastname": "family", "surname": "family",
	"title": "title", "jobtitle": "title", "department": "department", "costcenter": "cost", "costcentre": "cost", "manager": "manager",
	"role": "roles", "roles": "roles", "active": "active", "enabled": "active", "accountenabled": "active", "status": "active",
	"disabled": "disabled", "inactive": "disabled", "blocked": "disabled", "suspended": "disabled",
}

func columnOf(name string) string {
	return columns[strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)]
}

func badFile(format string, args ...any) error {
	return fmt.Errorf("%w: %s", control.ErrBadFile, fmt.Sprintf(format, args...))
}

// readFile reads the people of a file, and which of its columns are not kept.
func readFile(in control.PeopleImport) (rows []row, ignored []string, err error) {
	text := strings.TrimPrefix(in.File, sheet.BOM)
	if len(text) > control.MaxImport {
		return nil, nil, badFile("the file has %d bytes, and at most %d are taken", len(text), control.MaxImport)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, nil, badFile("the file is not in UTF-8: save it as “CSV UTF-8”")
	}
	var records []record
	switch in.Format {
	case "csv":
		records, ignored, err = readCSV(text)
	case "json":
		records, ignored, err = readJSON(text)
	default:
		err = badFile("the format is csv or json, not %.20q", in.Format)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(records) == 0 || len(records) > control.MaxImportRows {
		return nil, nil, badFile("the file names %d people, and 1 to %d are taken", len(records), control.MaxImportRows)
	}
	rows = make([]row, len(records))
	seen := map[string]int{}
	for i, r := range records {
		rows[i] = r.row()
		for _, key := range []string{"name " + access.FoldUserName(rows[i].is.UserName), "key " + rows[i].is.External} {
			if first, twice := seen[key]; twice && key != "key " && rows[i].wrong == "" {
				rows[i].wrong = fmt.Sprintf("line %d names the same person", first)
			} else if !twice {
				seen[key] = r.line
			}
		}
	}
	return rows, ignored, nil
}

// record is a line of a file, by what its columns have.
type record struct {
	line   int
	values map[string]string
}

// delimiter is the sign that stands most often in the first line: spreadsheets write the one of their
// country.
func delimiter(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best, most := ',', 0
	for _, d := range ",;\t" {
		if n := strings.Count(first, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

func readCSV(text string) (records []record, ignored []string, err error) {
	in := csv.NewReader(strings.NewReader(text))
	in.Comma = delimiter(text)
	header, err := in.Read()
	if err != nil {
		return nil, nil, badFile("its first line has no names of columns: %v", err)
	}
	is := make([]string, len(header))
	for i, name := range header {
		is[i] = columnOf(name)
		switch j := slices.Index(is[:i], is[i]); {
		case is[i] == "":
			ignored = append(ignored, strings.TrimSpace(name))
		case j >= 0:
			return nil, nil, badFile("the columns %q and %q mean the same: leave one out", header[j], name)
		}
	}
	if !slices.Contains(is, "user") && !slices.Contains(is, "mail") {
		return nil, nil, badFile("no column has the user name: name one user_name or email; there are %.200q", header)
	}
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return records, ignored, nil
		}
		if err != nil {
			return nil, nil, badFile("%v", err)
		}
		line, _ := in.FieldPos(0)
		r := record{line, map[string]string{}}
		for i, v := range fields {
			if v = strings.TrimSpace(v); is[i] != "" && v != "" {
				r.values[is[i]] = sheet.Unescape(v)
			}
		}
		if len(r.values) == 0 {
			continue // an empty line of a spreadsheet
		}
		if records = append(records, r); len(records) > control.MaxImportRows {
			return records, ignored, nil
		}
	}
}

func readJSON(text string) (records []record, ignored []string, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var all []map[string]any
	if err := dec.Decode(&all); err != nil || dec.More() {
		return nil, nil, badFile("it is no JSON list of objects")
	}
	for i, doc := range all {
		r := record{i + 1, map[string]string{}}
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			is := columnOf(key)
			if is == "" {
				if !slices.Contains(ignored, key) && len(ignored) < 50 {
					ignored = append(ignored, key)
				}
				continue
			}
			if _, twice := r.values[is]; twice {
				return nil, nil, badFile("person %d has two values for %q", i+1, key)
			}
			v, ok := plain(doc[key])
			if !ok {
				return nil, nil, badFile("%q of person %d is neither a text, a number, a truth value nor a list of them", key, i+1)
			}
			if v != "" || is == "roles" {
				r.values[is] = v
			}
		}
		records = append(records, r)
	}
	return records, ignored, nil
}

// plain writes a value of JSON as a cell would have it.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(v), true
	case bool, json.Number:
		return fmt.Sprint(v), true
	case []any:
		var words []string
		for _, one := range v {
			w, ok := plain(one)
			if !ok {
				return "", false
			}
			words = append(words, w)
		}
		return strings.Join(words, " "), true
	}
	return "", false
}

// row is what a record says of a person.
func (r record) row() row {
	v := r.values
	out := row{line: r.line, is: access.Provisioned{
		UserName: v["user"], External: v["external"], Active: true,
		Profile: access.Profile{DisplayName: v["display"], Given: v["given"], Family: v["family"], Title: v["title"], Department: v["department"], CostCenter: v["cost"], Manager: v["manager"]},
	}}
	if out.is.UserName == "" {
		out.is.UserName = v["mail"]
	}
	if v["mail"] != "" {
		out.is.Mails = []access.Mail{{Value: v["mail"], Type: "work", Primary: true}}
	}
	if out.is.UserName == "" {
		out.wrong = "it has no user name"
	}
	for _, name := range []string{"display", "given", "family", "title", "department", "cost", "manager", "external"} {
		if formula(v[name]) {
			out.wrong = fmt.Sprintf("%.40q is a formula, which a spreadsheet would run", v[name])
		}
	}
	for _, name := range []string{"active", "disabled"} {
		text, said := v[name]
		if !said {
			continue
		}
		yes, ok := truth(text)
		if !ok {
			out.wrong = fmt.Sprintf("%.40q does not say whether the person is active: write yes or no", text)
		}
		out.is.Active, out.named = yes == (name == "active"), "active"
	}
	if text, said := v["roles"]; said {
		out.roles = []access.Role{}
		for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(",;|", c) || unicode.IsSpace(c) }) {
			if role := access.Role(strings.ToLower(word)); !slices.Contains(out.roles, role) {
				out.roles = append(out.roles, role)
			}
		}
	}
	return out
}

// truth reads a word for yes or no.
func truth(text string) (yes, ok bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "y", "1", "x", "active", "enabled":
		return true, true
	case "false", "no", "n", "0", "inactive", "disabled", "suspended", "blocked":
		return false, true
	}
	return false, false
}

// formula reports whether a spreadsheet would run a text. Such a text is nobody's name, and would be
// run on the machine of whoever opens an export that is less careful than ours.
func formula(text string) bool {
	if text == "" {
		return false
	}
	if text[0] == '=' || text[0] == '@' {
		return true
	}
	return (text[0] == '+' || text[0] == '-') && bytes.ContainsAny([]byte(text), "(|!")
}
