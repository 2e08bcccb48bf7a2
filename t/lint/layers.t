# A folder includes only what mod_securelayer/LAYERS lets it; no unit needs itself in a circle; headers stand alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run slurp);
use SL::Source qw(top c_files without_comments build_flags);

my $top = top();
my (%allowed, %library);
for my $line (split /\n/, slurp("$top/mod_securelayer/LAYERS")) {
    next if $line =~ /^\s*(#|$)/;
    my ($layer, $rest) = $line =~ /^(\w+)\s*:(.*)$/ or BAIL_OUT("LAYERS: odd line: $line");
    $allowed{$layer}{$_} = 1 for $layer, grep { !/^@/ } split ' ', $rest;
    $library{$layer}{$_} = 1 for grep {/^@/} split ' ', $rest;
}
my @folders = map {m{([^/]+)/$}} glob "$top/mod_securelayer/*/";
is_deeply([sort @folders], [sort keys %allowed], 'LAYERS has a row for each folder');

# A layer may only be used by those listed after it, so layers form no circle.
my %place;
$place{$_} = keys %place for slurp("$top/mod_securelayer/LAYERS") =~ /^(\w+)\s*:/mg;
is(join(', ', map { my $l = $_; map {"$l uses $_"} grep { ($place{$_} // 99) > $place{$l} } keys %{ $allowed{$l} } } sort keys %allowed),
    '', 'LAYERS goes from the bottom up');

my ($httpd_dir) = join(' ', build_flags('HTTPD_CFLAGS')) =~ /-isystem (\S+)/;
my %httpd_header = map { s{.*/}{}r => 1 } glob "$httpd_dir/*.h";
delete $httpd_header{$_} for grep {/^(?:apr|apu)/} keys %httpd_header;
ok($httpd_header{'httpd.h'}, "httpd's headers are known");

my (@wrong, %needs, %header);
for my $file (c_files()) {
    my ($layer, $unit) = $file =~ m{^mod_securelayer/(\w+)/(\w+)\.[ch]$} or next;
    $header{"$layer/$unit.h"} = 1 if $file =~ /h$/;
    my $n = 0;
    for my $line (split /\n/, without_comments(slurp("$top/$file"))) {
        $n++;
        my ($mark, $name) = $line =~ /^\s*#\s*include\s*([<"])([^>"]+)[>"]/ or next;
        my $at = "$file:$n: $name";
        if ($mark eq '"' && $name ne 'config.h' && !$httpd_header{$name} && $name ne 'mod_securelayer.h') {
            my ($folder, $other) = $name =~ m{^(\w+)/(\w+)\.h$};
            if    (!$folder)                   { push @wrong, "$at: not \"folder/unit.h\"" }
            elsif (!$allowed{$folder})         { push @wrong, "$at: no such layer" }
            elsif (!$allowed{$layer}{$folder}) { push @wrong, "$at: $layer may not include $folder" }
            $needs{"$layer/$unit"}{"$folder/$other"} = $at if $folder && "$layer/$unit" ne "$folder/$other";
        }
        push @wrong, "$at: $layer may not include OpenSSL" if $name =~ m{^openssl/} && !$library{$layer}{'@openssl'};
        push @wrong, "$at: $layer may not include libcurl" if $name =~ m{^curl/} && !$library{$layer}{'@curl'};
        push @wrong, "$at: $layer may not include jansson" if $name eq 'jansson.h' && !$library{$layer}{'@jansson'};
        push @wrong, "$at: $layer may not include httpd" if $httpd_header{$name} && !$library{$layer}{'@httpd'};
    }
}
is(join("\n", @wrong), '', 'each #include is allowed');

# Circles: walk from each unit; a unit met on its own way is one.
my (@circles, %done);
sub walk {
    my ($unit, @way) = @_;
    for my $i (0 .. $#way) {
        next if $way[$i] ne $unit;
        push @circles, join ' -> ', @way[$i .. $#way], $unit;
        return;
    }
    return if $done{$unit};
    walk($_, @way, $unit) for sort keys %{ $needs{$unit} || {} };
    $done{$unit} = 1;
}
walk($_) for sort keys %needs;
is(join("\n", @circles), '', 'no unit includes itself in a circle');

my @flags = ('-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-x', 'c', "-I$top/mod_securelayer", "-I$top/include",
    build_flags('APR_CFLAGS', 'APU_CFLAGS', 'OPENSSL_CFLAGS'));
my @httpd_flags = build_flags('HTTPD_CFLAGS');
for my $header (sort(keys %header), map { "../$_" } grep {m{^include/}} c_files()) {
    next if $header =~ /_rows\.h$/;
    my $r = run(['gcc', @flags, ($header =~ m{^(?:httpd|\.\./include)/} ? @httpd_flags : ()), '-'],
        stdin => "#include \"$header\"\n#include \"$header\"\n");
    is($r->{err}, '', "$header compiles alone, and twice");
}
done_testing;
