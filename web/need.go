package web

import "reflect"

// Need panics if one of the services in a struct of them is missing: a front door does not open
// without it, rather than fail at the one address that asks for it.
func Need(services any) {
	all := reflect.ValueOf(services)
	for i := range all.NumField() {
		one := all.Field(i)
		if one.IsNil() || one.Elem().Kind() == reflect.Pointer && one.Elem().IsNil() {
			panic("BUG: nothing serves " + all.Type().String() + "." + all.Type().Field(i).Name)
		}
	}
}
