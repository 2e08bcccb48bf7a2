# A certificate that comes to its end while the server runs is told in the log, once, and its successor is not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Command qw(scratch_dir slurp spew slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $certs = SL::Certs->new;
my $dir   = scratch_dir('expiry');
# Its life ends soon after the start: steps at 1/90 of it and at its end are still to come.
my $life = $ENV{SL_SAN} ? 20 : 12;
my $end  = time + $life;
my $old  = $certs->server('end.test', type => 'ecdsa', start => "-${life}s", end => "+${life}s", tag => $end);
my $new  = $certs->server('end.test', type => 'ecdsa', tag => "new $end");
spew("$dir/pair", slurp($old->{cert}) . slurp($old->{key}), 0600);

my $httpd = SL::Httpd->new;
$httpd->config("Listen 127.0.0.1:\${port_https}\n<VirtualHost *:\${port_https}>\nServerName end.test\nSSLEngine on\nSSLCertificateFile $dir/pair\n</VirtualHost>\n");
$httpd->start_ok or BAIL_OUT('httpd does not start');
ok(wait_until(sub { $httpd->error_log =~ /SL0154: the certificate \S+pair expired on .*: clients refuse it/ }, 2 * $life + 20), 'a certificate that expires is told');
like($httpd->error_log, qr/\[ssl:warn\].*SL0154: the certificate \S+pair expires in \d+ minutes, on /, '... and before that it was told that it would');
my $lines = () = $httpd->error_log =~ /SL0154: .* expired/g;
is($lines, 1, '... once');
spew("$dir/new", slurp($new->{cert}) . slurp($new->{key}), 0600);
$httpd->mark;
rename "$dir/new", "$dir/pair";
ok($httpd->wait_for_log(qr/SL0150: .*pair was changed/), 'its successor is taken');
unlike($httpd->new_log, qr/SL0154/, '... and nothing told of it');
$httpd->stop;
done_testing;
