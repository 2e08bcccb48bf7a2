package SL::Bodies;

# Bodies of any size without keeping them: a pattern that shows lost, doubled and moved bytes, its digest, and CGI programs
# that read and write it.
#
#   pattern(100)                 100 bytes
#   digest(1 << 30)              "1073741824 <SHA-256>" of that many, made piece by piece
#   digest_of($text)             the same of a text
#   scripts($httpd)              makes cgi-bin: digest.pl (answers with the digest of what it was sent), bytes.pl?N (sends
#                                N bytes), steps.pl (see there)
#   cgi_modules($mpm)            what has to be loaded for them

use strict;
use warnings;
use Digest::SHA;
use Exporter 'import';

our @EXPORT_OK = qw(pattern digest digest_of scripts cgi_modules cgi_conf);

# A block whose length divides neither records nor pages.
my $code = q{join '', 'x', map { pack 'N', $_ * 2654435761 & 0xffffffff } 0 .. 16383};
my $block = eval $code;

sub pattern {
    my ($length) = @_;
    return substr $block x (1 + $length / length $block), 0, $length;
}

sub digest {
    my ($length) = @_;
    my $sha = Digest::SHA->new(256);
    my $left = $length;
    while ($left > 0) {
        $sha->add($left < length $block ? substr $block, 0, $left : $block);
        $left -= length $block;
    }
    return "$length " . $sha->hexdigest;
}

sub digest_of { my ($text) = @_; return length($text) . ' ' . Digest::SHA::sha256_hex($text) }

sub cgi_modules { my ($mpm) = @_; return $mpm eq 'prefork' ? 'cgi' : 'cgid' }

# ScriptAlias and, for cgid, its socket. For the main server.
sub cgi_conf {
    my ($mpm) = @_;
    return ($mpm eq 'prefork' ? '' : "ScriptSock \${root}/run/cgi\n") . "ScriptAlias /cgi-bin/ \"\${cgi}/\"\n";
}

sub scripts {
    my ($httpd) = @_;
    my $perl = "#!$^X\nuse strict;\nuse warnings;\n\$| = 1;\nbinmode \$_ for *STDIN, *STDOUT;\n";
    $httpd->file('cgi/digest.pl', $perl . <<'CGI');
use Digest::SHA;
my ($sha, $length) = (Digest::SHA->new(256), 0);
while (my $n = sysread STDIN, my $piece, 65536) { $sha->add($piece); $length += $n }
print "Content-Type: text/plain\r\n\r\n$length ", $sha->hexdigest;
CGI
    $httpd->file('cgi/bytes.pl', $perl . "my \$block = $code;\n" . <<'CGI');
my ($left, $length) = ($ENV{QUERY_STRING} =~ /^(\d+)/, 1);
print "Content-Type: application/octet-stream\r\n", $ENV{QUERY_STRING} =~ /length=(\d+)/ ? "Content-Length: $1\r\n" : '', "\r\n";
while ($left > 0) {
    syswrite STDOUT, $left < length $block ? substr $block, 0, $left : $block or exit;
    $left -= length $block;
}
CGI
    # Sends "step 1", and the next step each time the file work/NAME.N is there, up to COUNT: steps.pl?NAME,COUNT
    $httpd->file('cgi/steps.pl', $perl . <<'CGI');
my ($name, $count) = $ENV{QUERY_STRING} =~ /^(\w+),(\d+)/;
(my $work = $ENV{SCRIPT_FILENAME}) =~ s{/cgi/.*}{/work};
print "Content-Type: text/plain\r\n\r\n";
for my $step (1 .. $count) {
    print "step $step\n";
    my $deadline = time + 60;
    select undef, undef, undef, 0.005 until $step == $count || -e "$work/$name.$step" || time > $deadline;
}
CGI
    return;
}

1;
