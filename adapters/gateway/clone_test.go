package gateway

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// A copy shares nothing, whatever the types of core will hold one day: what can
// be shared is found by its kind.
func TestCloneBeat(t *testing.T) {
	is := is.New(t)
	var filled core.Beat
	fill(reflect.ValueOf(&filled).Elem())
	copied := cloneBeat(filled)
	want, err := json.Marshal(filled)
	is.NoErr(err)
	got, err := json.Marshal(copied)
	is.NoErr(err)
	is.Equal(string(got), string(want))
	shared(t, "Beat", reflect.ValueOf(filled), reflect.ValueOf(copied))
}

// fill gives everything a value, and every slice and pointer something to hold.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(7, 0).UTC()))
			return
		}
		if v.Type() == reflect.TypeFor[core.Histogram]() {
			v.Addr().Interface().(*core.Histogram).Record(time.Second)
			return
		}
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// shared fails the test for everything that two values share.
func shared(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[time.Time]() {
			return // its pointer is to a time zone, which nobody changes
		}
		for i := range a.NumField() {
			shared(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Array:
		for i := range a.Len() {
			shared(t, path, a.Index(i), b.Index(i))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.IsNil() {
			return
		}
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
			return
		}
		if a.Kind() == reflect.Pointer {
			shared(t, path, a.Elem(), b.Elem())
		} else if a.Kind() == reflect.Slice {
			shared(t, path, a.Index(0), b.Index(0))
		}
	}
}
